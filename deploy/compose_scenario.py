#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What deploy/compose-check.sh does with docker-compose.yml once the images are there.

Starts the service; submits a search from outside its network; kills the agent while it profiles, the worker while it trains, Prometheus, and the
coordinator while it searches; waits until the restart policy has brought each back and the search has succeeded; checks the exported models
against the report, the scrape targets, rules and every panel of the dashboards; stops the whole service, starts it again, and finds the search
there. Needs docker and a compose command; the images are not built here.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

PROJECT = "hanas-check"
SERVICES = ["coordinator", "worker", "agent", "prometheus"]
# Whom the search loses, and in which phase.
VICTIMS = {"PROFILING": ["agent"], "TRAINING": ["worker", "prometheus"], "SEARCHING": ["coordinator"]}
HEALTHY_DEADLINE = 180.0
SEARCH_DEADLINE = 900.0
RATE_DEADLINE = 60.0  # a rate is there after two scrapes, 15 s apart
# Panels that show nothing while all is well, or while nothing is under way.
MAY_BE_EMPTY = {"Calls that failed", "Tasks that wait and that are held"}


class Failed(Exception):
    """The service does not do what it should; the text says what was expected and what was found."""


class Clock:
    def __init__(self):
        self._start = self._last = time.monotonic()

    def say(self, text: str) -> None:
        """A line with the time since the start, and that of the step that it ends."""
        now = time.monotonic()
        print(f"    [{now - self._start:6.1f} s, +{now - self._last:5.1f}] {text}", flush=True)
        self._last = now


# How `watch` and `export` end for a search that is done: networks of five training steps are at times no better than guessing.
DONE = (0, 15)


def run(command: list[str], expected: tuple[int, ...] = (0,), **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode not in expected:
        raise Failed(f"expected `{' '.join(command)}` to succeed; it ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Service:
    """The composed service, from outside."""

    def __init__(self, repository: pathlib.Path, compose: list[str], coordinator: str):
        self._compose = [*compose, "--project-name", PROJECT, "--project-directory", str(repository), "--file", str(repository / "docker-compose.yml")]
        self._coordinator = coordinator

    def compose(self, *arguments: str) -> str:
        return run([*self._compose, *arguments])

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "-q", service).strip()  # also one that has ended

    def inspect(self, container: str, what: str) -> str:
        return run(["docker", "inspect", "--format", "{{" + what + "}}", container]).strip()

    def wait_healthy(self, services: list[str]) -> None:
        deadline = time.monotonic() + HEALTHY_DEADLINE
        for service in services:
            while (state := self.inspect(self.container(service), ".State.Health.Status")) != "healthy":
                if time.monotonic() > deadline:
                    logs = self.compose("logs", "--tail=20", service)
                    raise Failed(f"expected {service} to become healthy within {HEALTHY_DEADLINE:.0f} s, found it {state}; its log ends with:\n{logs}")
                time.sleep(0.5)

    def crash(self, service: str) -> None:
        """Kills everything in the container but its init, which then ends as after any crash: only the restart policy brings it back."""
        container = self.container(service)
        before = int(self.inspect(container, ".RestartCount"))
        subprocess.run(["docker", "exec", container, "sh", "-c", "kill -KILL -1"], capture_output=True)
        deadline = time.monotonic() + HEALTHY_DEADLINE
        while int(self.inspect(container, ".RestartCount")) <= before:
            if time.monotonic() > deadline:
                raise Failed(f"expected {service} to be started again after it was killed; it was not within {HEALTHY_DEADLINE:.0f} s")
            time.sleep(0.2)

    def outside(self, *arguments: str, mounts: dict[pathlib.Path, str] | None = None) -> list[str]:
        """The command line in a container that is not of the service: it comes in through the published port."""
        volumes = [word for host, inner in (mounts or {}).items() for word in ("--volume", f"{host}:{inner}")]
        user = ["--user", f"{os.getuid()}:{os.getgid()}"]
        where = ["--coordinator", self._coordinator]
        # Without a value the variable is passed on as it is here: the token stands in no argument.
        return ["docker", "run", "--rm", "--init", "--network", "host", "--env", "HANAS_TOKEN", *user, *volumes, "hanas-cli:check", *arguments, *where]


class Prometheus:
    def __init__(self, address: str):
        self._address = address

    def ask(self, path: str, **parameters: str) -> dict:
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]

    def check_targets(self) -> int:
        deadline = time.monotonic() + HEALTHY_DEADLINE
        while True:
            targets = self.ask("targets", state="active")["activeTargets"]
            down = [f"{target['labels']['job']}: {target['health']} {target['lastError']}" for target in targets if target["health"] != "up"]
            if not down:
                return len(targets)
            if time.monotonic() > deadline:
                raise Failed(f"expected every scrape target to be up, found: {'; '.join(down)}")
            time.sleep(1)

    def check_rules(self) -> int:
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        bad = [f"{rule['name']}: {rule.get('lastError', '')}" for rule in rules if rule["health"] == "err"]
        if bad or not rules:
            raise Failed(f"expected alert rules without errors, found: {bad or 'none'}")
        return len(rules)

    def check_panels(self, dashboards: list[pathlib.Path]) -> int:
        """Every query of every panel is answered; one that is empty must be among those that may be."""
        panels = [panel for path in dashboards for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]]
        queries = [(panel["title"], target["expr"].replace("$__rate_interval", "15m")) for panel in panels for target in panel.get("targets", [])]
        deadline = time.monotonic() + RATE_DEADLINE
        while True:
            empty = [f"{title}: {query}" for title, query in queries if not self.ask("query", query=query)["result"] and title not in MAY_BE_EMPTY]
            if not empty:
                return len(queries)
            if time.monotonic() > deadline:
                raise Failed("expected these panels to show something:\n  " + "\n  ".join(empty))
            time.sleep(5)


def check_confinement(service: Service) -> None:
    for name in SERVICES:
        container = service.container(name)
        if run(["docker", "exec", container, "id", "-u"]).strip() == "0":
            raise Failed(f"expected {name} to run as another user than root")
        if service.inspect(container, ".HostConfig.ReadonlyRootfs") != "true":
            raise Failed(f"expected the root file system of {name} to be read-only")


def longer_job(repository: pathlib.Path, to: pathlib.Path) -> None:
    """examples/tiny.yaml with enough of each phase to be killed in."""
    text = (repository / "examples" / "tiny.yaml").read_text(encoding="utf-8")
    text, changed = re.subn(r"training: \{steps: 20,", "training: {steps: 1500,", text)
    text, rounds = re.subn(r"evolution: \{rounds: 1, evaluations_per_round: 4,", "evolution: {rounds: 6, evaluations_per_round: 4,", text)
    if changed != 1 or rounds != 1:
        raise Failed("expected the budgets of examples/tiny.yaml to be where this script changes them")
    to.write_text(text, encoding="utf-8")


def follow_and_kill(service: Service, search: str, clock: Clock) -> None:
    """Reads the events of the search as they come and kills each victim when its phase is under way."""
    left = {phase: list(victims) for phase, victims in VICTIMS.items()}
    deadline = time.monotonic() + SEARCH_DEADLINE
    watch = subprocess.Popen(service.outside("watch", search, "-o", "json"), stdout=subprocess.PIPE, text=True)
    try:
        phase, last = None, 0
        for line in watch.stdout:
            event = json.loads(line)
            if event["kind"] != "progress":
                sequence = int(event["sequence"])
                if sequence != last + 1:
                    raise Failed(f"expected event {last + 1} after event {last}, found {sequence}")
                last = sequence
            if event["phase"] != phase:
                phase = event["phase"]
                clock.say(f"{search} is {phase}")
            progress = event.get("progress") or {}
            if int(progress.get("done", 0)) > 0 or event["kind"] == "progress":
                for victim in left.pop(phase, []):
                    service.crash(victim)
                    clock.say(f"killed {victim} while {phase}; it was started again")
            if time.monotonic() > deadline:
                raise Failed(f"expected {search} to end within {SEARCH_DEADLINE:.0f} s; it is {phase}")
        if watch.wait() not in DONE:
            raise Failed(f"expected {search} to succeed; `hanas watch` ended with {watch.returncode}:\n" + run(service.outside("explain", search)))
    finally:
        watch.kill()
        watch.wait()
    if left:
        raise Failed(f"expected to kill {left}; the search was over before")


def check_export(service: Service, search: str, to: pathlib.Path) -> int:
    to.mkdir()
    run(service.outside("export", search, "--out", "/out", mounts={to: "/out"}), expected=DONE)
    report = json.loads((to / "report.json").read_text(encoding="utf-8"))
    networks = [*report["front"], *report["references"]]
    if not report["front"]:
        raise Failed("expected networks on the front, found none")
    for network in networks:
        digest = hashlib.sha256((to / network["onnxFile"]).read_bytes()).hexdigest()
        if digest != network["onnxSha256"]:
            raise Failed(f"expected {network['onnxFile']} to have the digest {network['onnxSha256']}, found {digest}")
    return len(networks)


def scenario(repository: pathlib.Path, work: pathlib.Path, compose: list[str]) -> None:
    clock = Clock()
    service = Service(repository, compose, f"127.0.0.1:{os.environ['HANAS_PORT']}")
    prometheus = Prometheus(f"127.0.0.1:{os.environ['HANAS_PROMETHEUS_PORT']}")
    service.compose("up", "--detach", "--no-build", *SERVICES)
    service.wait_healthy(SERVICES)
    clock.say(f"{', '.join(SERVICES)} are healthy")
    check_confinement(service)
    clock.say("none runs as root, none can write to its root file system")

    job = work / "job.yaml"
    longer_job(repository, job)
    submit = service.outside("submit", "/job.yaml", "-o", "name", mounts={job: "/job.yaml:ro"})
    search = run(submit).strip()
    if run(submit).strip() != search:
        raise Failed(f"expected the same job submitted again to be {search}")
    clock.say(f"{search} was submitted from outside, twice, and is there once")
    follow_and_kill(service, search, clock)
    service.wait_healthy(SERVICES)
    clock.say(f"{search} has succeeded and everything is healthy again")
    clock.say(f"exported {check_export(service, search, work / 'export')} models with the digests of the report")

    clock.say(f"{prometheus.check_targets()} scrape targets are up, {prometheus.check_rules()} rules without errors")
    dashboards = sorted((repository / "deploy" / "grafana" / "dashboards").glob("*.json"))
    clock.say(f"{prometheus.check_panels(dashboards)} queries of the dashboards answered (not drawn: Grafana's image comes from a registry)")

    service.compose("stop", "--timeout", "20")
    codes = {name: service.inspect(service.container(name), ".State.ExitCode") for name in SERVICES}
    if any(code != "0" for code in codes.values()):
        raise Failed(f"expected every process to end with 0 when it is told to stop, found {codes}")
    clock.say("stopped: every process ended with 0")
    service.compose("up", "--detach", "--no-build", *SERVICES)
    service.wait_healthy(SERVICES)
    names = run(service.outside("list", "-o", "name")).split()
    if names != [search]:
        raise Failed(f"expected {search} after a restart of everything, found {names}")
    clock.say(f"started again: {search} is there")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="an empty directory")
    parser.add_argument("compose", nargs="+", help="the compose command, after --")
    arguments = parser.parse_args()
    try:
        scenario(arguments.repository, arguments.work, arguments.compose)
    except Failed as failure:
        print(f"compose-check: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
