"""An agent that sorts the mail of a shop for household appliances, as its first author would write it.

It knows the labels with one line each; what customers mean by them, and how soon which message needs an answer, is
for training to find out.
"""

from agentsym import Agent, Choice, Examples, PromptNode, ToolNode, load_tool

INTENTS = {
    "late_delivery": "An order has not arrived by the promised time.",
    "change_delivery": "The customer wants another date, slot or address for a delivery.",
    "missing_item": "Something that belongs to the order was not in the box.",
    "wrong_item": "A different product was sent than the one ordered.",
    "transport_damage": "The product was damaged when it arrived.",
    "cancel_order": "The customer wants to cancel an order before it is delivered.",
    "return_request": "The customer wants to send a product back.",
    "refund_status": "The customer asks where a refund is.",
    "billing_error": "Something is wrong with a charge or an invoice.",
    "appliance_fault": "An appliance has stopped working properly.",
    "installation_booking": "The customer wants an appliance installed or connected.",
    "usage_help": "The customer asks how to use an appliance.",
    "repair_visit": "It is about an appointment with a repair engineer.",
    "spare_part": "The customer wants to buy a part or an accessory.",
}
URGENCIES = {
    "now": "Needs an answer at once.",
    "today": "Needs an answer before the end of the day.",
    "this_week": "Can wait for a few days.",
}

intent = PromptNode(
    "intent",
    instructions="Decide what the customer wants.",
    inputs=["message"],
    output={"intent": Choice(INTENTS)},
    examples=Examples(max_per_label=40),  # the embedded reader reads them for nothing; fewer where tokens are paid for
)
urgency = PromptNode(
    "urgency",
    instructions="Decide how soon the message needs an answer.",
    inputs=["message", "intent"],
    output={"urgency": Choice(URGENCIES)},
    examples=Examples(max_per_label=160),
)
due = ToolNode("due", load_tool("deadline"), inputs=["urgency", "arrived"], output="due")

agent = Agent(
    "support_triage",
    nodes=[intent, urgency, due],
    edges=[("intent", "urgency"), ("urgency", "due")],
    description="Says what a customer of an appliance shop wants, how soon, and until when an answer is due.",
)
