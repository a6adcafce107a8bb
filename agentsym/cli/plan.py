"""`Plan`: everything that `agentsym optimize` was asked for, as plain JSON.

It stands in the run's first event, so that `--resume RUN` needs nothing else, from whatever folder it is called.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentsym.cli.agents import EMBEDDED, SAVED, SETS, Found
from agentsym.errors import UsageError
from agentsym.network.canonical import Frozen

if TYPE_CHECKING:
    from agentsym.cli.caps import Caps
    from agentsym.learning.trainer import Trainer
    from agentsym.learning.training import Watch
    from agentsym.runtime.executors.protocol import Executor
    from agentsym.store.store import Store


class Plan(Frozen):
    """What a run is made of. Paths are absolute.

    Attributes:
        agent: a reference that is good from any folder.
        name: the reference as it was written.
        folder: the working directory, where the default `runs/ID` goes and a module is looked for.
        train: rows to learn from.
        val: rows that the gate scores.
        test: rows for the final report.
        must_pass: rows that no version may break.
        columns: column → field.
        label: the column with the one label.
        metric: its name or `file.py:function`; None: the teacher scores.
        judge: what the teacher looks for.
        student: model string.
        teacher: model string.
        models: model strings that each node may be given instead of the student.
        optimizer: its name.
        gate: its name; None for the default.
        settings: those fields of `Settings` that were given.
        out: the folder that was asked for.
    """

    agent: str
    name: str
    folder: str
    train: str
    val: str | None = None
    test: str | None = None
    must_pass: str | None = None
    columns: dict[str, str] = {}
    label: str | None = None
    metric: str | None = "exact"
    judge: str = ""
    student: str
    teacher: str = EMBEDDED
    models: tuple[str, ...] = ()
    optimizer: str = "symbolic"
    gate: str | None = None
    settings: dict[str, Any] = {}
    out: str | None = None

    @classmethod
    def made(cls, found: Found, given: Mapping[str, Any]) -> Plan:
        """Make a plan from flags; what was not given (None) takes its default.

        Raises:
            UsageError: there is nothing to train on.
        """
        flags = {name: value for name, value in given.items() if value is not None}
        for kind in SETS:
            file = found.data(kind)
            if kind not in flags and file is not None:
                flags[kind] = str(file)
        if "train" not in flags:
            place = (
                f"there is no {found.folder / 'data'}/train.jsonl" if found.folder else "a module has no data folder"
            )
            raise UsageError(f"{found.name}: nothing to train on ({place}); give a file with --train")
        if "judge" in flags:
            flags["judge"] = _text_or_file(flags["judge"])
            flags.setdefault("metric", None)
        flags.setdefault("teacher", os.environ.get("AGENTSYM_TEACHER") or EMBEDDED)
        return cls(agent=found.reference, name=found.name, folder=str(Path.cwd()), **flags)

    def trainer(
        self,
        found: Found,
        caps: Caps,
        store: Store | None,
        watch: Watch,
        record: Path | None = None,
        executor: Executor | None = None,
    ) -> Trainer[Any]:
        """Make the trainer; reads all rows.

        Args:
            found: the agent.
            caps: what may be used.
            store: where the run is written.
            watch: is told what happens.
            record: the folder that all model traffic is written to.
            executor: where rows are run; here by default.

        Raises:
            UsageError: something that was asked for is not there, or cannot be used.
        """
        from agentsym.learning.node_models import has_choice, with_models
        from agentsym.learning.recording import record_to
        from agentsym.learning.trainer import Trainer

        parts = self.model_dump(
            include={"val", "test", "must_pass", "metric", "label", "judge", "student", "teacher", "optimizer", "gate"}
        )
        agent = with_models(found.agent, self.student, self.models) if self.models else found.agent
        if self.models and not has_choice(agent):
            raise UsageError(
                f"--models {','.join(self.models)}: no node could be given another model than it has; name "
                "others than the student's, or give a node that names its model for good an Option"
            )
        return Trainer(
            agent,
            self.train,
            **parts,
            **caps._asdict(),
            **self.settings,
            columns=self.columns,
            recorder=None if record is None else record_to(record),
            executor=executor or "local",
            store=store,
            watch=watch,
            origin=self.model_dump(mode="json"),
        )

    def destination(self, run_id: str) -> Path:
        """Return the folder that the best agent of a run goes to."""
        return Path(self.out) if self.out else Path(self.folder) / "runs" / run_id


def _name_in(file: Path) -> str:
    """Return the name of the agent in an `agent.yaml`."""
    from agentsym.network.yaml_text import read_yaml

    return str(read_yaml(file).get("name"))


def _text_or_file(judge: str) -> str:
    """Return a rubric as text, read from a file where one of that name is there."""
    try:
        file = Path(judge).expanduser()
        if file.is_file():
            return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise UsageError(f"--judge {judge}: the file is not UTF-8") from error
    return judge


def check_destination(plan: Plan, found: Found) -> None:
    """Find out before the run whether its result can be saved and its folder be written, and leave no trace.

    Raises:
        UsageError: it cannot, or it would replace the agent that is trained, another one, or something that is no
            agent.
    """
    from agentsym.network.files import check_saveable

    check_saveable(found.agent)
    out = plan.destination("ID")
    if plan.out and found.folder is not None and out.resolve() == found.folder.resolve():
        raise UsageError(f"--out {plan.out}: this is the folder of the agent that is trained; choose another")
    if plan.out and out.is_dir() and any(out.iterdir()) and not (out / SAVED).is_file():
        raise UsageError(f"--out {plan.out}: there is something else than an agent in this folder; choose another")
    if plan.out and (out / SAVED).is_file() and (name := _name_in(out / SAVED)) != found.agent.name:
        raise UsageError(
            f"--out {plan.out}: there is another agent, {name!r}, in this folder, and {found.agent.name!r} would "
            "replace it; choose another folder"
        )
    _check_writable(out, "--out")


def check_recording(folder: Path) -> None:
    """Find out whether traffic could be recorded in a folder, and leave no trace.

    Raises:
        UsageError: it could not.
    """
    from agentsym.learning.recording import record_to

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        record_to(folder)  # opens what is there, or says why it cannot
    else:
        _check_writable(folder, "--record")


def _check_writable(folder: Path, flag: str) -> None:
    there = folder
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(
            f"{folder}: nothing can be written there ({error.strerror}); choose another with {flag}"
        ) from error
