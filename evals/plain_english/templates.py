"""The wordings of the problems: a few for learning and others for the final test, by what a problem asks of an agent.

`{a}`, `{b}` and `{c}` are numbers (`{A}`: in words), `{one}` and `{two}` people, `{thing}` what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Wordings(NamedTuple):
    """The wordings of one kind of problem: those of train and validation, and those of the test."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]


WORDINGS: Mapping[str, Wordings] = {
    "total": Wordings(
        (
            "{one} found {a} {thing} in the garden and {b} in the shed. How many {thing} did {one} find?",
            "There are {a} {thing} on the table. {two} puts {b} beside them. How many {thing} are on the table now?",
            "{one} owns {a} {thing}, {two} owns {b}. How many {thing} do they own together?",
        ),
        (
            "A drawer holds {a} {thing} and a box holds {b}. What is the number of {thing} in both?",
            "On Monday {one} collected {a} {thing}, on Tuesday another {b}. How many {thing} is that in all?",
        ),
    ),
    "words": Wordings(
        (
            "{one} has {A} {thing} and gets {b} as a present. How many {thing} does {one} have now?",
            "{two} packed {b} {thing}, and {A} more at noon. How many {thing} did {two} pack?",
            "There were {A} {thing} in the hall and {b} in the yard. How many {thing} were there?",
        ),
        (
            "After {b} {thing} had been sold, {A} others were sold, too. How many {thing} were sold?",
            "{one} drew {A} {thing}; {two} drew {b}. How many {thing} were drawn in all?",
        ),
    ),
    "dozen": Wordings(
        (
            "{one} bakes {a} dozen rolls and {b} buns. How many things does {one} bake?",
            "The cook uses {a} dozen eggs on Friday and {b} eggs on Saturday. How many eggs does the cook use?",
            "{two} carries {a} dozen {thing} upstairs, then {b} more. How many {thing} does {two} carry?",
        ),
        (
            "A shop orders {a} dozen {thing} from {one} and {b} from {two}. How many {thing} does it order?",
            "In the kitchen stand {b} cups, in the cupboard {a} dozen. How many cups are there?",
        ),
    ),
    "pair": Wordings(
        (
            "{one} washes {a} pairs of socks and {b} shirts. How many pieces does {one} wash?",
            "On the shelf lie {a} pairs of gloves and {b} hats. How many things lie on the shelf?",
            "{two} sorts {b} scarves and {a} pairs of shoes. How many items does {two} sort?",
        ),
        (
            "A trunk holds {a} pairs of boots together with {b} belts. How many articles does it hold?",
            "{one} mends {b} caps and {a} pairs of mittens. How many things is that?",
        ),
    ),
    "hours": Wordings(
        (
            "{one} walked for {a} hours and rode for {b} minutes. How many minutes was {one} on the way?",
            "The film runs {a} hours and the news {b} minutes. How many minutes do both run?",
            "{two} read for {b} minutes and slept for {a} hours. How many minutes is that?",
        ),
        (
            "A ferry takes {a} hours and the bus after it {b} minutes. How long is the way in minutes?",
            "After {b} minutes in the pool {one} spent {a} hours in the sun. How many minutes were that in all?",
        ),
    ),
    "unused": Wordings(
        (
            "{one} bought a lamp for {a} coins and a rug for {b} coins. The chair for {c} coins {one} did not buy. "
            "How many coins did {one} spend?",
            "A kite costs {a} coins and a ball {b} coins; {two} takes both. {two} looked at a drum for {c} coins but "
            "put it back. What does {two} pay?",
            "{one} pays {a} coins for soup. {one} never bought the cake for {c} coins. Tea was {b} coins. "
            "What did {one} spend?",
        ),
        (
            "{two} admired a coat for {c} coins without buying it. Then {two} bought gloves for {a} coins and a "
            "scarf for {b} coins. What was spent?",
            "Ink cost {one} {a} coins, paper {b} coins. A pen at {c} coins was nice, but {one} decided against it. "
            "How many coins went to the till?",
        ),
    ),
    "ages": Wordings(
        (
            "{one}, who is {c} years old, picked {a} pears and {b} plums. How many fruits did {one} pick?",
            "{two} turned {c} today. An aunt sent {a} {thing}, a friend brought {b}. How many {thing} did {two} get?",
            "{one} is {c} years old. {one} has {a} red {thing} and {b} blue ones. How many {thing} does {one} have?",
        ),
        (
            "At the age of {c}, {two} caught {a} fish in spring and {b} in autumn. How many fish did {two} catch?",
            "The {c}-year-old {one} keeps {a} hens and {b} ducks. How many birds does {one} keep?",
        ),
    ),
    "left": Wordings(
        (
            "{one} had {a} {thing} and gave away {b}. How many {thing} are left?",
            "Of {a} {thing} the wind took {b}. How many {thing} remain?",
            "{two} brought {a} {thing} and sold {b}. How many {thing} does {two} still have?",
        ),
        (
            "{b} of the {a} {thing} broke. How many {thing} remained whole?",
            "{one} baked {a} rolls, and {b} were eaten. How many rolls are there still?",
        ),
    ),
    "each": Wordings(
        (
            "{one} fills {a} jars. Each jar holds {b} {thing}. How many {thing} is that?",
            "A ticket costs {b} coins per person. What do {a} people pay?",
            "{two} buys {a} notebooks at {b} coins apiece. What does {two} pay?",
        ),
        (
            "Every shelf bears {b} {thing}. How many {thing} are on {a} shelves?",
            "{one} plants {a} rows with {b} {thing} in each row. How many {thing} does {one} plant?",
        ),
    ),
    "share": Wordings(
        (
            "{b} friends share {a} {thing} equally. How many {thing} does a friend get?",
            "{one} splits {a} {thing} evenly among {b} bowls. How many {thing} are in a bowl?",
            "{a} {thing} are divided between {b} children. How many {thing} does one child get?",
        ),
        (
            "{two} deals {a} cards fairly to {b} players. How many cards does a player hold?",
            "A cook shares out {a} {thing} to {b} plates in equal parts. How many {thing} come on a plate?",
        ),
    ),
    "more": Wordings(
        (
            "{one} has {a} {thing}, {two} has {b}. How many more {thing} does {one} have than {two}?",
            "{two} jumped {b} times and {one} jumped {a} times. How many fewer jumps did {two} make?",
            "One tower is {a} feet tall, another {b} feet. What is the difference?",
        ),
        (
            "{one} read {a} pages and {two} read {b}. By how many pages is {one} ahead?",
            "The lake is {a} feet deep, the pond {b} feet. How much deeper is the lake?",
        ),
    ),
    "fit": Wordings(
        (
            "{a} children go on a trip. A van seats {b} of them. How many vans are needed?",
            "{one} packs {a} {thing} into boxes with room for {b}. How many boxes does {one} need?",
            "A boat carries {b} people. How many trips must it make for {a} people?",
        ),
        (
            "{a} guests sit down at tables with {b} places. How many tables are required?",
            "The school hires buses with {b} seats for {a} pupils. How many buses does it have to hire?",
        ),
    ),
    "words and left": Wordings(
        (
            "{one} had {A} {thing} and lost {b}. How many {thing} are left?",
            "Of {A} {thing} {two} used {b}. How many {thing} remain?",
        ),
        ("{two} picked {A} {thing} and ate {b}. How many {thing} does {two} still have?",),
    ),
    "dozen and each": Wordings(
        (
            "{one} buys {a} dozen pencils at {b} coins apiece. What does {one} pay?",
            "A tray has room for {a} dozen {thing}. Each of them weighs {b} grams. What do they weigh?",
        ),
        ("{two} orders {a} dozen {thing}, and every one costs {b} coins. What does {two} pay?",),
    ),
}
