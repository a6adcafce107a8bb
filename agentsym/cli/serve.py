"""`agentsym serve`: answer over HTTP with an agent that is deployed under a name, until a signal ends it.

The first start makes the deployment; later ones go on with whatever version is live by then.
"""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agentsym.cli import options
from agentsym.cli.caps import above_zero
from agentsym.cli.screen import say, warn
from agentsym.errors import UsageError

if TYPE_CHECKING:
    from agentsym.deploy.service import Service
    from agentsym.store.store import Store

NEEDED = ("fastapi", "uvicorn", "jinja2", "prometheus_client")
ACTOR = "agentsym serve"


def serve(
    agent: options.AgentName,
    name: Annotated[str | None, typer.Option(help="The deployment's name (default: the agent's).")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    student: options.Student = None,
    store: options.StorePlace = None,
    policy: Annotated[Path | None, typer.Option(metavar="FILE", help="What is kept and learned, as YAML.")] = None,
    concurrency: Annotated[
        int, above_zero("--concurrency", "Requests that run at once (default: 32).", without="32")
    ] = 32,
    timeout: Annotated[float, above_zero("--timeout", "Seconds a request may take (default: 60).", float, "60")] = 60.0,
    grace: Annotated[
        float, above_zero("--grace", "Seconds to finish in at the end (default: 30).", float, "30")
    ] = 30.0,
    max_body: Annotated[int, above_zero("--max-body", "Bytes of a request (default: 1 MiB).", without="1 MiB")] = 1024
    * 1024,
    rate: Annotated[
        float | None, above_zero("--rate", "Requests a minute and token (default: no limit).", float, "no limit")
    ] = None,
    chat_input: Annotated[
        str | None, typer.Option("--chat-input", metavar="INPUT", help="The input that takes a chat's last message.")
    ] = None,
    take: Annotated[bool, typer.Option("--take", help="Changed files of AGENT become the live version.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the live version though AGENT has changed.")] = False,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Ask for no token; on this machine only.")] = False,
    access_log: Annotated[bool, typer.Option("--access-log", help="Write one JSON line a request to stderr.")] = False,
) -> None:
    """Serve AGENT over HTTP."""
    if missing := [module for module in NEEDED if find_spec(module) is None]:
        raise UsageError(f'serving needs {", ".join(missing)}; install it with: pip install "agentsym[serve]"')
    if take and keep:
        raise UsageError("--take and --keep say the opposite; give one of them")
    from agentsym.cli.agents import check_models, find_agent
    from agentsym.deploy.beginning import begin
    from agentsym.deploy.chat import check_chat_input
    from agentsym.deploy.dashboard.part import dashboard_part
    from agentsym.deploy.listener import listen
    from agentsym.deploy.policy import load_policy
    from agentsym.deploy.redaction import Redactor
    from agentsym.deploy.server.app import create_app
    from agentsym.deploy.server.listening import Server
    from agentsym.deploy.server.settings import Settings
    from agentsym.deploy.service import Service
    from agentsym.learning.metrics import load_metric
    from agentsym.store.store import Store

    found = find_agent(agent)
    model = check_models(found, student)
    rules = load_policy(policy)
    Redactor(rules.traces)  # what cannot be served is refused before the deployment is touched
    load_metric(rules.learning.metric)
    check_chat_input(found.agent, chat_input)
    settings = Settings(
        auth=not no_auth,
        concurrency=concurrency,
        waiting=4 * concurrency,
        grace=grace,
        max_body=max_body,
        rate=rate,
        chat_input=chat_input,
        access_log=access_log,
    )
    with Store.open(store) as opened:
        _check_doors(opened, host, no_auth)
        deployed = name or found.agent.name
        choice: Literal["take", "keep"] | None = "take" if take else "keep" if keep else None
        with listen(host, port) as listener:
            begin(opened, deployed, found.agent, actor=ACTOR, choice=choice)
            service = Service(
                opened,
                deployed,
                found.agent,
                student=model,
                policy=rules,
                timeout=timeout,
                concurrency=concurrency,
            )
            app = create_app(service, settings, parts=[dashboard_part])
            Server(app, listener, lambda: _announce(service, listener.getsockname(), no_auth)).serve_until_stopped()
    say("stopped; every answer that was given is recorded")


def _check_doors(store: Store, host: str, no_auth: bool) -> None:
    """Raise UsageError where a server that others can reach would let everybody in, or nobody."""
    if _is_loopback(host):
        return
    if no_auth:
        raise UsageError(f"--no-auth lets everybody in who reaches {host}; it works with --host 127.0.0.1 only")
    if not store.tokens.any_good():
        raise UsageError(
            f"{host} can be reached by others, and there is no token yet; make one first: agentsym tokens create NAME "
            "--scope invoke"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce(service: Service, address: Any, no_auth: bool) -> None:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    url = f"http://{host}:{address[1]}"
    say(f"{service.name} {service.versions.current.live.version[:12]} answers at {url}")
    say(f"its dashboard is at {url}/dashboard/, for tokens with the scope admin")
    if service.versions.problem is not None:
        warn(service.versions.problem)
    if no_auth:
        warn("no token is asked for: every program on this machine may ask, judge and change the agent")
    elif not service.store.tokens.any_good():
        say("there is no token yet; make one with: agentsym tokens create NAME --scope invoke --scope feedback")
