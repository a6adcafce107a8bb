"""The names of spans, attributes and metrics, in one place: what others have agreed on, and our own.

Every `gen_ai.*` name is still in development and may be renamed, so none is imported from a package that may drop it;
the names are those of version 1.41.0 of OpenTelemetry's semantic conventions.
"""

from __future__ import annotations

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"

# What is done, and by whom.
OPERATION = "gen_ai.operation.name"
CHAT, INVOKE_AGENT, EXECUTE_TOOL = "chat", "invoke_agent", "execute_tool"
PROVIDER = "gen_ai.provider.name"
AGENT_NAME = "gen_ai.agent.name"
AGENT_DESCRIPTION = "gen_ai.agent.description"
AGENT_VERSION = "gen_ai.agent.version"
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL_ID = "gen_ai.tool.call.id"

# A model call.
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
OUTPUT_TYPE = "gen_ai.output.type"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR_TYPE = "error.type"

# Content, on opt-in only.
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"

# Metrics.
TOKEN_USAGE = "gen_ai.client.token.usage"
OPERATION_DURATION = "gen_ai.client.operation.duration"
TOKEN_TYPE = "gen_ai.token.type"

# Ours: what the conventions have no name for.
TRAJECTORY_ID = "agentsym.trajectory.id"
EXAMPLE_ID = "agentsym.example.id"
STATUS = "agentsym.status"
NODE = "agentsym.node"
NODE_KIND = "agentsym.node.kind"
SUPER_STEP = "agentsym.super_step"
PHASE = "agentsym.phase"
CACHED = "agentsym.cached"
RETRIES = "agentsym.retries"
COST = "agentsym.cost.usd"
RETRY = "agentsym.retry"
WAIT = "agentsym.retry.seconds"
LEARNING = "agentsym.learning."
"""What the spans of a run that learns begin their attributes with."""
