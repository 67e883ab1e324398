"""One stable hash of a record's content, the same in every process and version of Python."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel

from tieline.kernel.asset_records import AssetFields

# A sink hashes what its system answered, where a person may have a name; the source's report has an opaque id.
_PERSONAL = frozenset({"custodian"})


def digest_fields(model: BaseModel) -> str:
    """BLAKE2b-128 (32 hex digits) over canonical JSON: sorted keys, absent values left out, decimals as text.

    ``1.50`` and ``1.5000`` are the same amount and give the same digest. Personal fields of an asset do not count.
    """
    personal = set(_PERSONAL) if isinstance(model, AssetFields) else None
    plain = model.model_dump(mode="python", exclude_none=True, exclude=personal)
    text = json.dumps(_plain(plain), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: object) -> object:
    match value:
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case bool() | int() | None:
            return value
        case str():
            return str(value)
        case _ if hasattr(value, "isoformat"):
            return value.isoformat()
        case _:
            return format(value.normalize(), "f") if hasattr(value, "normalize") else str(value)
