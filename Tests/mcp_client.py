"""Lists and calls every tool of a console with PyPI's `mcp` client, over HTTPS in both ages of the protocol and over `signalbox mcp`.

Arguments: console's URL, file of its authority, a viewer's token, a responder's token, the signalbox program, its HOME, an incident's number.
"""

import asyncio
import ssl
import sys

import httpx2 as httpx
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

URL, AUTHORITY, VIEWER, RESPONDER, PROGRAM, HOME, INCIDENT = sys.argv[1:8]
ARGUMENTS = {
    "find_hosts": {"name": "trainer-*"},
    "host_report": {"host": "trainer-1"},
    "series": {"host": "trainer-1", "metric": "cpu.busy_percent", "since": "1h", "points": 10},
    "find_runs": {"limit": 3},
    "run_report": {"id": 1},
    "episode_report": {"run": "run-a", "episode": 1},
    "search_logs": {"since": "1d"},
    "log_context": {"host": "trainer-1", "file": "*.log", "at": "1m", "seconds": 600},
    "incident_report": {"number": int(INCIDENT)},
    "act_on_incident": {"number": int(INCIDENT), "action": "note", "text": "by an assistant", "confirm": "yes"},
}


def http(token):
    context = ssl.create_default_context(cafile=AUTHORITY)
    client = httpx.AsyncClient(verify=context, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    return streamable_http_client(URL + "/mcp", http_client=client)


async def texts(client):
    """Every tool's answer by its name."""
    tools = (await client.list_tools()).tools
    names = [tool.name for tool in tools]
    assert len(names) == len(set(names)) <= 12, names
    answers = {}
    for tool in tools:
        result = await client.call_tool(tool.name, ARGUMENTS.get(tool.name, {}))
        text = result.content[0].text
        assert not result.is_error, (tool.name, text)
        assert len(text.encode()) <= 8000, (tool.name, len(text))
        answers[tool.name] = text
    return tools, answers


async def main():
    seen = {}
    for mode in ["2026-07-28", "auto", "legacy"]:
        async with Client(http(VIEWER), mode=mode) as client:
            tools, seen[mode] = await texts(client)
            assert all(tool.annotations.read_only_hint for tool in tools), tools
            assert "act_on_incident" not in seen[mode]
            refused = await client.call_tool("find_hosts", {"nmae": "x"})
            assert refused.is_error and "no parameter is called 'nmae'" in refused.content[0].text
            missing = await client.call_tool("incident_report", {"number": 999999})
            assert missing.is_error and "no incident has the number" in missing.content[0].text
    assert set(seen["legacy"]) == set(seen["2026-07-28"]) and len(seen["legacy"]) == 11, seen["legacy"].keys()
    assert "hosts are live" in seen["auto"]["fleet_summary"], seen["auto"]["fleet_summary"]
    logs = seen["auto"]["search_logs"]
    mark = next(word for word in logs.split() if word.startswith("untrusted-"))
    assert logs.count(f"<{mark}>") == 1 == logs.count(f"</{mark}>"), logs
    async with Client(http(RESPONDER)) as client:
        _, answers = await texts(client)
        assert "Noted in the timeline" in answers["act_on_incident"], answers
        bare = await client.call_tool("act_on_incident", {"number": int(INCIDENT), "action": "acknowledge"})
        assert bare.is_error and "confirm is needed" in bare.content[0].text, bare
    parameters = StdioServerParameters(
        command=PROGRAM, args=["mcp"], env={"HOME": HOME, "SIGNALBOX_DATABASE_URL": "", "XDG_CONFIG_HOME": ""}
    )
    for mode in ["2026-07-28", "legacy"]:
        async with Client(stdio_client(parameters), mode=mode) as client:
            _, answers = await texts(client)
            assert len(answers) == 11
    print("every tool answers")


asyncio.run(main())
