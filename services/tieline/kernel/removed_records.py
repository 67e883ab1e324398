"""What accept remembers of reference records that are gone."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Code, Model


class RemovedReference(Model):
    """A reference record that its owner deleted. Key: family/system/native id; a person's is a pseudonym."""

    family: Code = Field(description="Family of the record.")
    system: Code = Field(description="System that owned it.")
    native_id: Code = Field(description="The owner's id of the record.")
    removed_at: AwareDatetime = Field(
        description="When the owner recorded that it is gone (UTC): what it recorded before is not heard any more."
    )
