"""How a network gets to a worker: its content as JSON, and for the user's code where to find it and what it must be.

Code itself never travels. A worker finds it as this process did, by its module, by its file in a folder that both see,
or in the tool library; learned code is content, and runs in the worker's sandbox.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.errors import UsageError
from agentsym.network.code import CodeRef, find, source_hash
from agentsym.network.files import code_folder, code_holders
from agentsym.network.network import Network


class Code(NamedTuple):
    """The user's code at one place of a network: its reference, its folder, and the hash of its source here."""

    where: str
    folder: str
    sha256: str


class Parcel(NamedTuple):
    """A network on its way."""

    version: str
    content: dict[str, Any]
    code: tuple[Code, ...]


def parcel_of(network: Network) -> Parcel:
    """Return what a worker needs to run a network.

    Raises:
        UsageError: code of it exists in this process only, or cannot be found again here either.
    """
    return Parcel(network.version, network.model_dump(mode="json", exclude_defaults=True), tuple(_code(network)))


def opened(parcel: Parcel) -> Network:
    """Return the network of a parcel, with the code that was found here.

    Raises:
        UsageError: code is not here or is not the same, or the network does not mean the same here.
    """
    network = Network.model_validate(parcel.content)
    known = {code.where: code for code in parcel.code}
    here = f"worker on {platform.node()}"
    if network.version != parcel.version:
        raise UsageError(f"{here}: agent {network.name!r} has another version there; install the same agentsym on it")
    for where, holder in code_holders(network):
        if isinstance(ref := holder.code_ref, CodeRef):
            code = known[where]
            holder._folder = Path(code.folder)
            try:
                found = _hash(ref, holder._folder)
            except UsageError as error:
                raise UsageError(
                    f"{where}: {ref.ref} is not on the {here} ({error}); install the package that holds it on all "
                    "workers, or put its file into a folder that they share with this machine"
                ) from error
            if found != code.sha256:
                raise UsageError(
                    f"{where}: {ref.ref} is another code on the {here}: its source is {found[:12]} there and "
                    f"{code.sha256[:12]} here; install the same version of it on all workers"
                )
    return network


def writers(network: Network) -> list[str]:
    """Return the places of a network whose code changes the world outside."""
    tools = [(where, holder.effect) for where, holder in code_holders(network)]
    return [where for where, effect in tools if effect == "write"]


def _code(network: Network) -> Iterator[Code]:
    for where, holder in code_holders(network):
        if not isinstance(ref := holder.code_ref, CodeRef):
            continue  # learned, or a tool of a server, which is asked from wherever it is needed
        if not ref.can_be_saved:
            raise UsageError(
                f"{where}: {ref.ref} exists in this process only, so no worker can run it; move it to the top level of "
                "a module or of a .py file that the workers have too, and import it from there"
            )
        folder = (code_folder(holder) or Path()).resolve()
        try:
            yield Code(where, str(folder), _hash(ref, folder))
        except UsageError as error:
            raise UsageError(f"{where}: no worker could find its code ({error})") from error


def _hash(ref: CodeRef, folder: Path) -> str:
    return source_hash(*find(ref, folder))
