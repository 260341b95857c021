"""Studies one after the other in a thread of their own: queued, run, cancelled, gone on with."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.domain.records import Level
from engine.domain.studies import Study, StudyProgress, StudyState
from engine.errors import Conflict, QuarterdeckError, StoreError
from engine.ports import Compute, Searches
from engine.services.books import Books, Writing
from engine.services.study_run import StudyRun
from engine.services.study_search import Cancelled
from engine.services.study_setting import StudyPlanner

log = logging.getLogger("quarterdeck.studies")

MOST_WAITING = 50
STOPPED = "The engine was stopped while it ran. Resume it: it goes on where it was."
KILLED = "The engine ended while it ran. Resume it: it goes on where it was."
CHANGED = (
    "The strategy or the candles are not those that this study began with, so that its trials"
    " cannot be compared with new ones. Start a new study."
)

EVENTS = {
    StudyState.DONE: (Level.INFO, "has ended"),
    StudyState.FAILED: (Level.WARNING, "failed"),
    StudyState.CANCELLED: (Level.INFO, "was cancelled"),
    StudyState.INTERRUPTED: (Level.WARNING, "was interrupted"),
}
"""What the log says of each end."""


class _Job:
    """A study under way. The first end counts: ``end`` is true for one caller only."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.lock = threading.Lock()
        self._ended = threading.Event()

    def end(self) -> bool:
        with self.lock:
            was_over = self._ended.is_set()
            self._ended.set()
        return not was_over

    def is_over(self) -> bool:
        return self._ended.is_set()


class StudyRunner:
    """Runs what is queued, one study at a time: its trials use the processors. Thread-safe.

    ``on_end`` hears of every study that came to an end by itself.
    """

    def __init__(
        self,
        books: Books,
        planner: StudyPlanner,
        compute: Compute,
        searches: Searches,
        on_end: Callable[[Study], None] = lambda _study: None,
    ) -> None:
        self._books = books
        self._planner = planner
        self._compute = compute
        self._searches = searches
        self._on_end = on_end
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="study")
        self._jobs: dict[str, _Job] = {}
        self._unsaved: dict[str, Study] = {}

    def load(self) -> None:
        """Mark what a former engine left running, and go on with what waited."""
        with self._books.store.reading() as tx:
            running = tx.studies.select(state=StudyState.RUNNING)
            waiting = tx.studies.select(state=StudyState.QUEUED)
        for study in running:
            self._save(self._ended(study, StudyState.INTERRUPTED, error=KILLED))
        for study in waiting:
            self._submit(study)

    def queue(self, study: Study, actor: str, *, is_new: bool = True) -> None:
        """Write a study and let it wait its turn. Raises Conflict behind too many, StoreError."""
        waiting = [one for one in list(self._jobs.values())
                   if one.study.state is StudyState.QUEUED]  # fmt: skip
        if len(waiting) >= MOST_WAITING:
            raise Conflict(f"{MOST_WAITING} studies are waiting already; cancel some of them.")
        with self._books.writing() as writing:
            if is_new:
                writing.tx.studies.add(study)
            else:
                writing.tx.studies.save(study)
            verb = "create" if is_new else "resume"
            writing.audit(actor, f"study.{verb}", study.id, name=study.name)
        self._submit(study)

    def current(self, study: Study) -> Study:
        """The study as it stands now, which its row may not say yet."""
        job = self._jobs.get(study.id)
        if job is not None:
            return job.study
        return self._unsaved.get(study.id, study)

    def cancel(self, study_id: str) -> bool:
        """End a study that waits or runs; whether it did."""
        job = self._jobs.get(study_id)
        if job is None or not job.end():
            return False
        self._finish(job, self._ended(job.study, StudyState.CANCELLED))
        return True

    def save_again(self) -> None:
        """Try to write the ends that the database did not take."""
        for study in list(self._unsaved.values()):
            self._save(study)

    def close(self) -> None:
        """End what runs, which can be resumed; what waits goes on at the next start."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for job in list(self._jobs.values()):
            was_running = job.study.state is StudyState.RUNNING
            if job.end() and was_running:
                self._finish(job, self._ended(job.study, StudyState.INTERRUPTED, error=STOPPED))
        self._thread.shutdown(wait=True)  # workers end within a moment, and none is left behind

    # --- one study ------------------------------------------------------------------------------

    def _submit(self, study: Study) -> None:
        job = self._jobs[study.id] = _Job(study)
        self._thread.submit(self._work, job)

    def _work(self, job: _Job) -> None:
        try:
            self._carry_out(job)
        except Cancelled:
            pass  # whoever cancelled it has written its end
        except QuarterdeckError as error:
            self._fail(job, error.message, error.field or "")
        except Exception:  # the study ends with a sentence, whatever it is
            log.exception("study %s", job.study.id)
            self._fail(job, "The engine failed on this study; its log has the details.")

    def _carry_out(self, job: _Job) -> None:
        self._note(job, state=StudyState.RUNNING, started_at=self._books.clock.now(), error="",
                   error_field="", progress=StudyProgress(stage="reading"))  # fmt: skip
        setting = self._planner.prepare(job.study.request, lambda _share: self._check(job))
        if job.study.source_sha256 not in ("", setting.sha256):
            self._fail(job, CHANGED)
            return
        self._note(job, source_sha256=setting.sha256, symbol=setting.bench.symbol)
        run = StudyRun(
            job.study.id, setting, self._compute, self._searches,
            lambda progress: self._tell(job, progress), job.is_over,
        )  # fmt: skip
        summary = run.run()
        if job.end():
            progress = job.study.progress.model_copy(update={"stage": "done"})
            ended = self._ended(job.study, StudyState.DONE, summary=summary, progress=progress)
            self._finish(job, ended)
            self._on_end(ended)

    def _check(self, job: _Job) -> None:
        if job.is_over():
            raise Cancelled

    def _note(self, job: _Job, **changes: Any) -> None:
        """Change a study under way and write it; nothing depends on the write."""
        with job.lock:  # a cancel waits for this write, and then writes the end
            if job.is_over():
                raise Cancelled
            job.study = job.study.model_copy(update=changes)
            try:
                with self._books.store.transaction() as tx:
                    tx.studies.save(job.study)
            except StoreError as error:
                log.warning("study %s could not be written: %s", job.study.id, error)

    def _tell(self, job: _Job, progress: StudyProgress) -> None:
        """Progress is kept in memory, and written with each fold and stage."""
        before = job.study.progress
        if (progress.stage, progress.fold) != (before.stage, before.fold):
            self._note(job, progress=progress)
            return
        with job.lock:
            job.study = job.study.model_copy(update={"progress": progress})

    # --- ends -----------------------------------------------------------------------------------

    def _fail(self, job: _Job, error: str, field: str = "") -> None:
        if job.end():
            ended = self._ended(job.study, StudyState.FAILED, error=error, error_field=field)
            self._finish(job, ended)
            self._on_end(ended)

    def _finish(self, job: _Job, study: Study) -> None:
        job.study = study
        self._save(study)
        self._jobs.pop(study.id, None)

    def _ended(self, study: Study, state: StudyState, **changes: Any) -> Study:
        now = self._books.clock.now()
        return study.model_copy(update={"state": state, "finished_at": now, **changes})

    def _save(self, study: Study) -> None:
        """Write an end with its event; kept in memory when the database refuses."""
        try:
            with self._books.writing() as writing:
                writing.tx.studies.save(study)
                _write_event(writing, study)
        except StoreError as error:
            self._unsaved[study.id] = study
            log.warning("the end of study %s could not be written: %s", study.id, error)
            return
        self._unsaved.pop(study.id, None)


def _write_event(writing: Writing, study: Study) -> None:
    level, verb = EVENTS[study.state]
    error = f" {study.error}" if study.error else ""
    writing.event(level, f"study.{study.state.value}", f"The study '{study.name}' {verb}.{error}")
