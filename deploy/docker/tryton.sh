# tryton.sh PASSWORD-FILE: sets the database up once (a second run changes nothing), then serves it.
set -eu
python /app/setup.py --config /app/trytond.conf --database tieline --password-file "$1"
exec trytond -c /app/trytond.conf -d tieline
