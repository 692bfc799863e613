"""The story of a run on this machine: from the repository to its results."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from floe_ci import contract, results, selection
from floe_ci.driver.spec import DriverReport
from floe_ci.errors import RunError
from floe_ci.local import environments, kept, tests
from floe_ci.local.kept import Kept
from floe_ci.local.messages import Done, Up
from floe_ci.local.plan import Plan
from floe_ci.local.services import ORIGINS, Services
from floe_ci.local.workspace import Workspace
from floe_ci.places import export
from floe_ci.redaction import redact, redact_files
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from floe_ci.local.environments import Environment
    from floe_ci.local.messages import Channel
    from floe_ci.places import RunRequest

NO_CLUSTER: Final = "no cluster: the tests ran on this machine\n"
IN_USE: Final = "services: those that `floe-ci up --on local` left running"
LEFT: Final = (
    "services: left running; the next `floe-ci test --on local` uses them, `floe-ci down --on local` ends them"
)


class Session:
    """One order to the worker."""

    def __init__(self, request: RunRequest, channel: Channel) -> None:
        """Prepare; nothing runs yet."""
        self.interrupted = asyncio.Event()
        """Set to end a run early; its results are written all the same."""
        self._request, self._channel = request, channel
        self._timings = Timings(listener=channel)

    async def up(self) -> None:
        """Bring the tier's services up and keep them until this is cancelled.

        Raises:
            UserError: What was asked for can't be, or services are up already.
            RunError: A service can't be started, or isn't ready in time.
        """
        plan = Plan.read(self._request)
        self._tell(first_lines(plan))
        with kept.claim(self._request.source) as make_known, Workspace() as workspace:
            services = Services(workspace, workspace.folder / "logs", self._timings)
            await services.start(plan.services, plan.config.timeouts.services)
            make_known(record(plan, services))
            self._channel.release(Up())
            await asyncio.Event().wait()

    async def test(self) -> None:
        """Run a tier and leave its results where the request says, whatever became of the tests.

        Raises:
            UserError: What was asked for can't be run at all; everything that was started is stopped again.
        """
        with self._timings.step("configure"):
            export.check(self._request.results)
            plan = Plan.read(self._request)
            packages = environments.of_tests(self._request.source, plan.config)
        there = kept.find(self._request.source)
        there = there if there and set(plan.services) <= set(there.services) else None
        notes = (IN_USE,) if there else first_lines(plan)
        self._tell(notes)
        with ExitStack() as stack:
            # Claimed now, because a claim has to outlast the workspace.
            make_known = (
                stack.enter_context(kept.claim(plan.request.source)) if plan.request.keep and not there else None
            )
            workspace = stack.enter_context(Workspace())
            collected = workspace.folder / "results"
            (collected / "logs").mkdir(parents=True)
            services = Services(workspace, collected / "logs", self._timings)
            try:
                report = await self._run(plan, packages, there or services, workspace.folder, collected)
            except RunError as error:
                report = DriverReport(problem=str(error))
            leave = make_known is not None and services.names and report.exit_code not in {None, 0}
            if not leave:
                with self._timings.step("stop"):
                    workspace.end()
            report = report.model_copy(update={"notes": (*notes, *((LEFT,) if leave else ()))})
            done = self._write_results(plan, report, there or services, collected)
            if make_known is None or not leave:
                self._channel.send(done)
                return
            make_known(record(plan, services))
            self._channel.release(done.model_copy(update={"kept": True}))
            await asyncio.Event().wait()

    async def _run(
        self, plan: Plan, packages: Environment, services: Services | Kept, folder: Path, collected: Path
    ) -> DriverReport:
        jobs: list[Coroutine[object, object, object]] = [self._install(packages)]
        if isinstance(services, Services):
            jobs.append(services.start(plan.services, plan.config.timeouts.services))
        python, *_ = await self._unless_interrupted(together(*jobs))
        variables = services.variables | {contract.ENV_SERVICES_DIR: str(services.pids)}
        environment = tests.environment(plan, python, folder, collected, variables)
        with self._timings.step("tests"):
            ended = await tests.run(plan, python, environment, collected, self.interrupted)
        said = (collected / "logs" / "runner.log").read_text(encoding="utf-8", errors="replace")
        selection.refuse_nothing(plan.request.tier, plan.request.selection, ended.exit_code, said)
        return DriverReport(exit_code=ended.exit_code, problem=ended.problem)

    async def _install(self, packages: Environment) -> Path:
        with self._timings.step("install packages"):
            return await environments.ready(packages)

    async def _unless_interrupted(self, job: Coroutine[object, object, list[Path]]) -> list[Path]:
        working, stopped = asyncio.create_task(job), asyncio.create_task(self.interrupted.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise RunError(tests.INTERRUPTION)
        finally:
            stopped.cancel()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _write_results(self, plan: Plan, report: DriverReport, services: Services | Kept, collected: Path) -> Done:
        if isinstance(services, Services):
            events = services.events
        else:
            events = ""
            shutil.copytree(services.logs, collected / "logs", dirs_exist_ok=True)
        (collected / "events.txt").write_text(NO_CLUSTER + events, encoding="utf-8")
        redact_files(collected, services.passwords)
        problem = redact(report.problem, services.passwords) if report.problem else None
        report = report.model_copy(update={"problem": problem})
        outcome = results.assemble(collected, plan.request.run_id, plan.request.tier, report, self._timings)
        export.replace(outcome, self._request.results)
        return Done(verdict=outcome.verdict, exit_code=outcome.exit_code, summary=outcome.summary)

    def _tell(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            self._channel.note(line)


def first_lines(plan: Plan) -> tuple[str, ...]:
    """Return what the reader should know of where the tests run."""
    here = [f"{service}: {ORIGINS[service]}" for service in plan.services]
    missing = [
        f"{service}: not here, and the tests that need it are skipped: {why}" for service, why in plan.absent.items()
    ]
    debian = plan.config.runner.packages
    unmanaged = [f"Debian packages of the runner image are not installed here: {', '.join(debian)}"] if debian else []
    return (*here, *missing, *unmanaged)


def record(plan: Plan, services: Services) -> Kept:
    """Return what a later run has to know of services."""
    return Kept(
        worker=os.getpid(),
        services=plan.services,
        variables=services.variables,
        passwords=services.passwords,
        pids=services.pids,
        logs=services.logs,
    )
