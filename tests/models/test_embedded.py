"""The embedded model: answers by the prompt alone, the same each time, and never pretends to write."""

import json
from typing import Any

import pytest

from agentsym.errors import CannotAnswer, ModelError, UsageError
from agentsym.models.doubles import ScriptedModel
from agentsym.models.embedded import EmbeddedModel
from agentsym.models.protocol import Request
from agentsym.models.resolve import resolve
from agentsym.models.structured import parse_json
from agentsym.network.fields import Choice, Field
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices
from agentsym.network.prompt import Prompt

INTENTS = {"lost": "the parcel never came", "refund": "wants the money back"}


def request_for(node: PromptNode, values: dict[str, Any]) -> Request:
    fields = {}
    for field in node.output:
        choices = node.parameters.get(f"choices/{field.name}")
        labels = [item.label for item in choices.value] if isinstance(choices, Choices) else []
        fields[field.name] = field.json_schema(labels)
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return Request(messages=Prompt(node).messages(values), schema_=schema)


async def answer(model: EmbeddedModel, node: PromptNode, values: dict[str, Any]) -> dict[str, Any]:
    asked = request_for(node, values)
    assert asked.schema_ is not None
    reply = await model.complete(asked)
    assert reply.usage.calls == 1
    read: dict[str, Any] = parse_json(reply.text, asked.schema_)
    return read


def node_of(output: Any, instructions: str = "Read the message.", **more: Any) -> PromptNode:
    return PromptNode("read", instructions=instructions, inputs=["message"], output=output, **more)


async def test_a_choice_is_read_by_its_definitions() -> None:
    node, model = node_of({"intent": Choice(INTENTS)}), EmbeddedModel()
    assert await answer(model, node, {"message": "My parcel never came!"}) == {"intent": "lost"}
    assert await answer(model, node, {"message": "I want my money."}) == {"intent": "refund"}


async def test_the_answer_improves_with_the_prompt() -> None:
    model, asked = EmbeddedModel(), {"message": "the driver rang at the wrong house"}
    plain = node_of({"intent": Choice({"refund": "", "lost": ""})})
    assert await answer(model, plain, asked) == {"intent": "refund"}  # nothing to go by: the first label
    ruled = node_of({"intent": Choice({"refund": "", "lost": ""})}, rules=["A driver at the wrong house: `lost`."])
    assert await answer(model, ruled, asked) == {"intent": "lost"}
    examples = [{"input": {"message": "wrong house, said the driver"}, "output": {"intent": "lost"}}]
    shown = node_of({"intent": Choice({"refund": "", "lost": ""})}, examples=examples)
    assert await answer(model, shown, asked) == {"intent": "lost"}


async def test_a_yes_or_no_is_no_unless_the_prompt_speaks_for_yes() -> None:
    urgent = Field(name="urgent", type="boolean", description="the customer is in a hurry, immediately")
    node, model = node_of([urgent]), EmbeddedModel()
    assert await answer(model, node, {"message": "I am in a hurry"}) == {"urgent": True}
    assert await answer(model, node, {"message": "xyz"}) == {"urgent": False}


async def test_texts_and_numbers_are_copied_as_the_examples_show() -> None:
    examples = [
        {"input": {"message": "order AB-12, 3 boxes"}, "output": {"order": "AB-12", "boxes": 3}},
        {"input": {"message": "please send 5 boxes on order X-9"}, "output": {"order": "X-9", "boxes": 5}},
    ]
    node = node_of({"order": str, "boxes": int}, examples=examples)
    read = await answer(EmbeddedModel(), node, {"message": "order QQ-7, 12 boxes"})
    assert read == {"order": "QQ-7", "boxes": 12}


async def test_inputs_that_the_instructions_show_are_read_too() -> None:
    node = node_of({"intent": Choice(INTENTS)}, instructions="The customer wrote: {{message}}")
    assert await answer(EmbeddedModel(), node, {"message": "I want my money."}) == {"intent": "refund"}


async def test_all_inputs_are_read() -> None:
    node = PromptNode("read", inputs=["subject", "body"], output={"intent": Choice(INTENTS)})
    model = EmbeddedModel()
    assert await answer(model, node, {"subject": "money back", "body": "please"}) == {"intent": "refund"}
    assert await answer(model, node, {"subject": "please", "body": "money back"}) == {"intent": "refund"}


async def test_two_models_answer_alike_in_any_order() -> None:
    node, texts = node_of({"intent": Choice(INTENTS)}), ["never came", "the money", "parcel", "back", ""]
    one, other = EmbeddedModel(), EmbeddedModel()
    forth = [await answer(one, node, {"message": text}) for text in texts]
    back = [await answer(other, node, {"message": text}) for text in reversed(texts)]
    assert forth == back[::-1]


async def test_a_complaint_about_its_answer_does_not_confuse_it() -> None:
    node, model = node_of({"intent": Choice(INTENTS)}), EmbeddedModel()
    asked = request_for(node, {"message": "I want my money."})
    more = tuple(message.model_copy(update={"content": "the parcel never came"}) for message in asked.messages[1:])
    again = asked.model_copy(update={"messages": asked.messages + more})
    assert (await model.complete(again)).text == (await model.complete(asked)).text


@pytest.mark.parametrize("output", [{"reply": str}, {"items": list}, {"record": dict}, "anything"])
async def test_what_must_be_written_is_refused_with_the_alternatives(output: Any) -> None:
    with pytest.raises(CannotAnswer, match=r"no language model.*--student provider/model.*only `embedded`"):
        await answer(EmbeddedModel(), node_of(output), {"message": "hello"})


async def test_a_request_without_a_schema_is_refused() -> None:
    asked = request_for(node_of({"intent": Choice(INTENTS)}), {"message": "hello"})
    with pytest.raises(CannotAnswer, match="cannot write prose"):
        await EmbeddedModel().complete(asked.model_copy(update={"schema_": None}))


async def test_a_number_that_is_not_there_is_not_made_up() -> None:
    with pytest.raises(ModelError, match="no integer for the field `boxes`"):
        await answer(EmbeddedModel(), node_of({"boxes": int}), {"message": "a few"})


async def test_a_prompt_that_is_not_ours_is_read_by_its_labels() -> None:
    asked = request_for(node_of({"intent": Choice(INTENTS)}), {"message": "hello"})
    plain = tuple(
        message.model_copy(update={"content": text})
        for message, text in zip(asked.messages, ("Answer.", "Please refund me"), strict=True)
    )
    reply = await EmbeddedModel().complete(asked.model_copy(update={"messages": plain}))
    assert json.loads(reply.text) == {"intent": "refund"}


def test_embedded_is_what_its_name_resolves_to() -> None:
    model = resolve("embedded")
    assert (model.name, model.remote) == ("embedded", False)


def test_a_model_is_what_it_is() -> None:
    model = ScriptedModel(["hi"])
    assert resolve(model) is model


@pytest.mark.parametrize("name", ["openai/gpt-4o", "Embedded", "", 5])
def test_another_name_is_wrong_usage_and_says_what_there_is(name: Any) -> None:
    with pytest.raises(UsageError, match=r"embedded|no model") as caught:
        resolve(name)
    assert caught.value.exit_code == 2
