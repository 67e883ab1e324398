"""``tieline synthetic …``: write a year, send it to a hub, check what the hub made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

FolderArgument = Annotated[Path, typer.Argument(help="Folder that `tieline synthetic write` has filled.")]
LandscapeOption = Annotated[
    Path | None,
    typer.Option("--landscape", envvar="TIELINE_LANDSCAPE", help="The hub's landscape; else landscape.yaml in DIR."),
]
SHOWN = 50

app = typer.Typer(
    help="A synthetic organisation of any size, with labels of what the hub must make of its year.\n\n"
    "Three companies (EUR January to December, USD April to March, JPY 4-4-5), two systems that both tell of each "
    "asset, two books, orders, work-order costs and periods that open and close; late, repeated, reordered and "
    "contradictory reports among them. The labels are true by construction: no processor was asked.\n\n"
    "tieline synthetic write --assets 1000 --out /tmp/year, then tieline topics apply and tieline run … with "
    "--landscape /tmp/year/landscape.yaml, then send and check with the folder.",
    no_args_is_help=True,
)


@app.command()
def write(  # noqa: PLR0917  - typer takes options as parameters
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; files of an earlier year are replaced.")],
    assets: Annotated[int, typer.Option(min=1, help="Assets that there are when the year begins.")] = 50_000,
    seed: Annotated[int, typer.Option(help="Another number is another organisation; the same one is the same.")] = 1,
    months: Annotated[int, typer.Option(min=1, max=12, help="Length of the year.")] = 12,
    book_reports_a_year: Annotated[
        int, typer.Option(help="How often the ERP tells of each book: 12, 4 or 1 times. Postings stay monthly.")
    ] = 12,
    arrival: Annotated[
        str, typer.Option(help="told: as it happened. shuffled: in random order across keys, within each chapter.")
    ] = "told",
    duplicates_percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="Reports that come twice; without it 1 %.")
    ] = None,
    mint: Annotated[str, typer.Option(help="Part of every event id: another one is another extract.")] = "",
) -> None:
    """Write reports.jsonl.gz, labels.jsonl, summary.json and landscape.yaml.

    50,000 assets are some 1.2 million reports with --book-reports-a-year 12 (300 MB); 1 makes it 0.5 million (54 MB).
    """
    from tieline.kernel.errors import Stop  # noqa: PLC0415  - every other command starts without the generator
    from tieline.synthetic.files import write_year  # noqa: PLC0415  - as above
    from tieline.synthetic.shape import Shape  # noqa: PLC0415  - as above
    from tieline.synthetic.year import Arrival, make_year  # noqa: PLC0415  - as above

    console = Console(highlight=False, soft_wrap=True)
    if arrival not in {"told", "shuffled"}:
        raise Stop(f"--arrival {arrival}: there is told and shuffled")
    order: Literal["told", "shuffled"] = "shuffled" if arrival == "shuffled" else "told"
    try:
        shape = Shape(assets=assets, seed=seed, months=months, book_reports_a_year=book_reports_a_year)
    except ValueError as error:
        raise Stop(str(error)) from error
    summary = write_year(make_year(shape), Arrival(order, duplicates_percent, mint), out, console.print)
    console.print(
        f"{out}: {summary.reports} reports of {summary.assets} assets; {summary.conflicts} conflicts expected."
    )


@app.command()
def send(
    folder: FolderArgument,
    landscape: LandscapeOption = None,
    timeout_secs: Annotated[float, typer.Option(min=1, help="Longest time without any progress of the hub.")] = 120,
) -> None:
    """Publish the year to the hub, chapter by chapter: the next begins when the hub has come to rest.

    Topics must be applied, and identify, accept and route run. Sources and sinks are not needed.
    """
    from tieline.synthetic.files import read_reports  # noqa: PLC0415  - every other command starts without it
    from tieline.synthetic.sending import Sent  # noqa: PLC0415  - as above
    from tieline.synthetic.sending import send as send_it  # noqa: PLC0415  - as above
    from tieline.wiring import open_hub  # noqa: PLC0415  - as above

    console = Console(highlight=False, soft_wrap=True)

    def say(sent: Sent) -> None:
        console.print(f"{sent.chapter}: {sent.reports} reports in {sent.secs:.1f} s")

    sent = send_it(open_hub(_landscape(folder, landscape)), read_reports(folder), say, timeout_secs=timeout_secs)
    reports, secs = sum(one.reports for one in sent), sum(one.secs for one in sent)
    console.print(f"{reports} reports in {secs:.1f} s: {reports / max(secs, 0.001):.0f} a second")


@app.command()
def check(folder: FolderArgument, landscape: LandscapeOption = None) -> None:
    """Compare what the hub holds and has published with the labels. Exit code 0: all ties to 0.00; 1: it does not."""
    from tieline.synthetic.checking import differences  # noqa: PLC0415  - every other command starts without it
    from tieline.synthetic.files import read_labels, read_summary  # noqa: PLC0415  - as above
    from tieline.synthetic.sending import read_hub  # noqa: PLC0415  - as above
    from tieline.synthetic.showing import show_differences  # noqa: PLC0415  - as above
    from tieline.wiring import open_hub  # noqa: PLC0415  - as above

    console = Console(highlight=False, soft_wrap=True)
    found = read_hub(open_hub(_landscape(folder, landscape)))
    lines = list(differences(read_labels(folder), read_summary(folder), found))
    if lines:
        console.print(show_differences(lines, SHOWN), markup=False)
        raise typer.Exit(1)
    console.print("The hub holds what the labels say, to 0.00.")


def _landscape(folder: Path, landscape: Path | None) -> Path:
    return landscape or folder / "landscape.yaml"
