"""Backtests one after the other in threads of their own: queued, run, cancelled, never lost."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.domain.backtest_runs import BacktestRun, RunStage, RunState
from engine.domain.records import Level
from engine.errors import Conflict, QuarterdeckError, StoreError
from engine.ports import (
    KeptResult,
    ResultFiles,
    Simulation,
    SimulationLeg,
    SimulationOutcome,
    SimulationTask,
    Simulator,
)
from engine.services.backtest_candles import fingerprint
from engine.services.backtest_plans import BacktestPlanner, Plan
from engine.services.books import Books

log = logging.getLogger("quarterdeck.backtests")

MOST_WAITING = 100
STOPPED = "The engine was stopped while it ran. Run it again."
KILLED = "The engine ended while it ran. Run it again."

EVENTS = {
    RunState.DONE: (Level.INFO, "has ended"),
    RunState.FAILED: (Level.WARNING, "failed"),
    RunState.CANCELLED: (Level.INFO, "was cancelled"),
    RunState.INTERRUPTED: (Level.WARNING, "was interrupted"),
}
"""What the log says of each end."""


class _Cancelled(Exception):
    """The run has ended otherwise; its thread only has to come back."""


class _Job:
    """A run under way. The first end counts: ``end`` is true for one caller only."""

    def __init__(self, run: BacktestRun) -> None:
        self.run = run
        self.simulation: Simulation | None = None
        self.is_over = False
        self.lock = threading.Lock()

    def end(self) -> bool:
        with self.lock:
            was_over, self.is_over = self.is_over, True
        if not was_over and self.simulation is not None:
            self.simulation.cancel()
        return not was_over

    def check(self) -> None:
        if self.is_over:
            raise _Cancelled


class BacktestRunner:
    """Runs what is queued, ``workers`` at a time. Thread-safe.

    What a run is doing is kept in memory and written when its stage changes; an end that the
    database does not take is kept in memory and tried again.
    """

    def __init__(
        self,
        books: Books,
        planner: BacktestPlanner,
        simulator: Simulator,
        files: ResultFiles,
        workers: int,
    ) -> None:
        self._books = books
        self._planner = planner
        self._simulator = simulator
        self._files = files
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="backtest")
        self._jobs: dict[str, _Job] = {}
        self._unsaved: dict[str, BacktestRun] = {}

    def load(self) -> None:
        """Mark what a former engine left running, and go on with what waited."""
        self._files.sweep()
        with self._books.store.reading() as tx:
            running = tx.backtests.select(state=RunState.RUNNING)
            waiting = tx.backtests.select(state=RunState.QUEUED)
        for run in running:
            self._save(self._ended(run, RunState.INTERRUPTED, error=KILLED))
        for run in waiting:
            self._submit(run)

    def queue(self, run: BacktestRun, actor: str) -> None:
        """Write a new run and let it wait its turn. Raises Conflict behind too many, StoreError."""
        if sum(job.run.state is RunState.QUEUED for job in list(self._jobs.values())) >= (
            MOST_WAITING
        ):
            raise Conflict(f"{MOST_WAITING} backtests are waiting already; cancel some of them.")
        with self._books.writing() as writing:
            writing.tx.backtests.add(run)
            writing.audit(actor, "backtest.create", run.id, name=run.name)
        self._submit(run)

    def current(self, run: BacktestRun) -> BacktestRun:
        """The run as it stands now, which its row may not say yet."""
        job = self._jobs.get(run.id)
        if job is not None:
            return job.run
        return self._unsaved.get(run.id, run)

    def cancel(self, run_id: str) -> bool:
        """End a run that waits or runs, at whatever stage; whether it did."""
        job = self._jobs.get(run_id)
        if job is None or not job.end():
            return False
        self._finish(job, self._ended(job.run, RunState.CANCELLED))
        return True

    def forget(self, run_id: str) -> None:
        """Its row is deleted: there is no end to write any more."""
        self._unsaved.pop(run_id, None)

    def save_again(self) -> None:
        """Try to write the ends that the database did not take."""
        for run in list(self._unsaved.values()):
            self._save(run)

    def close(self) -> None:
        """End what runs; what waits goes on at the next start."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for job in list(self._jobs.values()):
            was_running = job.run.state is RunState.RUNNING
            if job.end() and was_running:
                self._finish(job, self._ended(job.run, RunState.INTERRUPTED, error=STOPPED))

    # --- one run --------------------------------------------------------------------------------

    def _submit(self, run: BacktestRun) -> None:
        job = self._jobs[run.id] = _Job(run)
        self._threads.submit(self._work, job)

    def _work(self, job: _Job) -> None:
        try:
            self._carry_out(job)
        except _Cancelled:
            pass
        except QuarterdeckError as error:
            self._fail(job, error.message, error.field or "")
        except Exception:  # the run ends with a sentence, whatever it is
            log.exception("backtest %s", job.run.id)
            self._fail(job, "The engine failed on this backtest; its log has the details.")

    def _carry_out(self, job: _Job) -> None:
        job.check()
        self._stage(job, RunStage.READING, started_at=self._books.clock.now(),
                    state=RunState.RUNNING)  # fmt: skip

        def on_progress(share: float) -> None:
            self._stage(job, RunStage.READING, share)

        plan = self._planner.prepare(job.run.request, on_progress)
        self._stage(job, RunStage.READING, 1.0, coverage=plan.coverage, warnings=plan.warnings,
                    candles_sha256=fingerprint(plan.legs), quote=plan.quote)  # fmt: skip
        outcome = self._simulate(job, plan)
        self._stage(job, RunStage.SAVING)
        candles = {leg.instrument.symbol: leg.traded for leg in plan.legs}
        self._files.write(job.run.id, KeptResult(outcome.result, candles))
        done = self._compared(job.run.model_copy(
            update={"metrics": dict(outcome.metrics), "progress": 1.0,
                    "trade_count": len(outcome.result.trades),
                    "strategy_sha256": outcome.strategy_sha256}
        ))  # fmt: skip
        if not job.end():  # cancelled while it was written
            self._files.delete(job.run.id)
            return
        self._finish(job, self._ended(done, RunState.DONE))

    def _simulate(self, job: _Job, plan: Plan) -> SimulationOutcome:
        legs = [
            SimulationLeg(leg.instrument.symbol, leg.candles, leg.start, leg.fine)
            for leg in plan.legs
        ]
        request = plan.request
        job.simulation = self._simulator.begin(
            SimulationTask(request.strategy, request.params, legs, plan.terms)
        )
        job.check()  # from here on, the end of the job cancels it

        def on_stage(stage: RunStage, share: float) -> None:
            self._stage(job, stage, share)

        return job.simulation.outcome(on_stage)

    def _stage(self, job: _Job, stage: RunStage, progress: float = 0.0, **changes: Any) -> None:
        """Note what is being done; written when it is something else than before."""
        with job.lock:  # a cancel waits for this write, and then writes the end
            job.check()
            is_news = stage is not job.run.stage or changes
            job.run = job.run.model_copy(update={"stage": stage, "progress": progress, **changes})
            if is_news:
                self._write(job.run)

    def _compared(self, run: BacktestRun) -> BacktestRun:
        """With a warning when this repeats a run whose candles or strategy were others."""
        if not run.rerun_of:
            return run
        with self._books.store.reading() as tx:
            original = tx.backtests.find(run.rerun_of)
        if original is None or not original.candles_sha256:
            return run
        words = []
        if original.candles_sha256 != run.candles_sha256:
            words.append("The candles are not those of the run that this one repeats.")
        if original.strategy_sha256 and original.strategy_sha256 != run.strategy_sha256:
            words.append("The strategy's file was changed since the run that this one repeats.")
        return run.model_copy(update={"warnings": (*words, *run.warnings)})

    # --- ends -----------------------------------------------------------------------------------

    def _fail(self, job: _Job, error: str, field: str = "") -> None:
        if job.end():
            ended = self._ended(job.run, RunState.FAILED, error=error, error_field=field)
            self._finish(job, ended)

    def _finish(self, job: _Job, run: BacktestRun) -> None:
        """Write the end before anybody is told of it."""
        self._save(run)
        self._jobs.pop(run.id, None)

    def _ended(self, run: BacktestRun, state: RunState, **changes: Any) -> BacktestRun:
        now = self._books.clock.now()
        return run.model_copy(update={"state": state, "finished_at": now, **changes})

    def _save(self, run: BacktestRun) -> None:
        """Write an end with its event; kept in memory when the database refuses."""
        level, verb = EVENTS[run.state]
        try:
            with self._books.writing() as writing:
                writing.tx.backtests.save(run)
                error = f" {run.error}" if run.error else ""
                writing.event(level, f"backtest.{run.state.value}",
                              f"The backtest '{run.name}' {verb}.{error}")  # fmt: skip
        except StoreError as error:
            self._unsaved[run.id] = run
            log.warning("the end of backtest %s could not be written: %s", run.id, error)
            return
        self._unsaved.pop(run.id, None)

    def _write(self, run: BacktestRun) -> None:
        """Write what a run is doing; nothing depends on it."""
        try:
            with self._books.store.transaction() as tx:
                tx.backtests.save(run)
        except StoreError as error:
            log.warning("the stage of backtest %s could not be written: %s", run.id, error)
