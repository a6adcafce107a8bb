"""A real MCP server, as somebody else might have written it, for tests to use: `python shop.py [PORT]`.

It counts in files of the folder $SHOP_FOLDER how often it was started and what was ordered, and dies when asked to.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, Literal

from mcp.server import MCPServer
from mcp_types import ImageContent, TextContent, ToolAnnotations
from pydantic import BaseModel

FOLDER = Path(os.environ.get("SHOP_FOLDER", "."))
READS = ToolAnnotations(read_only_hint=True)
shop = MCPServer("shop", log_level="CRITICAL")


class Order(BaseModel):
    number: int
    total: float


def note(name: str) -> int:
    """Append a line to a file of the folder; return how many there are then."""
    with (FOLDER / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len((FOLDER / name).read_text().splitlines())


@shop.tool(annotations=READS)
def price(article: Literal["tea", "coffee"], count: int = 1) -> float:
    """The price of some articles, in euros."""
    return {"tea": 2.5, "coffee": 4.0}[article] * count


@shop.tool(name="order.place")
def place(article: str) -> Order:
    """Order an article."""
    return Order(number=note("orders"), total=2.5)


@shop.tool(annotations=READS)
def stock() -> dict[str, Any]:
    """What there is, without a schema of it."""
    return {"tea": [1, 2], "coffee": None}


@shop.tool(annotations=READS)
def picture(article: str) -> list[TextContent | ImageContent]:
    """A text and a picture."""
    return [TextContent(text=article), ImageContent(data="aGk=", mime_type="image/png")]


@shop.tool(annotations=READS)
def fail() -> str:
    """Fails."""
    raise ValueError("the warehouse is closed")


@shop.tool(annotations=READS)
async def wait(seconds: float) -> str:
    """Take some time."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note("cancelled")
        raise
    return "done"


@shop.tool(annotations=READS)
def crash_once() -> str:
    """End the whole server at the first call of all, answer at the next."""
    if note("crashes") == 1:
        os._exit(3)
    return "alive"


@shop.tool()
def crash_and_order() -> str:
    """End the whole server after having ordered."""
    note("orders")
    os._exit(3)


@shop.tool(annotations=READS)
def secret() -> str:
    """What the environment holds."""
    return os.environ.get("SHOP_SECRET", "nothing")


if os.environ.get("SHOP_NEW"):
    shop.remove_tool("price")

    @shop.tool(name="price", annotations=READS)
    def new_price(article: str, currency: str = "EUR") -> float:
        """The price of an article."""
        return 9.0


if __name__ == "__main__":
    note("starts")
    if len(sys.argv) > 1:
        shop.run("streamable-http", port=int(sys.argv[1]))
    else:
        shop.run("stdio")
