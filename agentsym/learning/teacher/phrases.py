"""Cuts what people wrote into phrases that can be quoted, and retells a sentence as reported speech.

A prompt is read by people too, so the contrastive teacher may only quote pieces that are whole: no cut noun phrase,
no dangling "of", no lone verb. The word lists are English grammar, not knowledge of any task; in another language
fewer words are held back and the phrases are rougher.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[^\s.,;:!?()\[\]{}\"“”`<>|/]+")
_SEGMENT = re.compile(r"[.,;:!?()\[\]{}\"“”`<>|/\n]+(?=\s|$)|\n|[\"“”`()\[\]{}<>|]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DETERMINERS = _set("a an the my your his her its our their this that these those any some every each no another")
_PRONOUNS = _set("i you he she it we they me him us them someone anyone something anything everything nothing there")
_AUXILIARIES = _set(
    "am is are was were be been being do does did have has had can could will would shall should may might must "
    "isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't can't couldn't won't wouldn't shouldn't "
    "i'm i've i'd i'll it's that's there's you're we're they're he's she's what's where's how's cannot dont cant wont"
)
_PREPOSITIONS = _set(
    "of to in on at for from with by about into over under after before since until during through between without "
    "within via per as than against toward towards onto upon"
)
_CONJUNCTIONS = _set("and or but so if because when while whether though although unless that once plus then")
_QUESTIONS = _set("what which who whom whose where when why how")
_ADVERBS = _set(
    "just still now yet again today yesterday already also too very really please only even ever always currently "
    "recently well ok okay hi hello hey thanks thank more much many most such other same so quite actually"
)
_NEGATIONS = _set("not never")
FUNCTION_WORDS = (
    _DETERMINERS | _PRONOUNS | _AUXILIARIES | _PREPOSITIONS | _CONJUNCTIONS | _QUESTIONS | _ADVERBS | _NEGATIONS
)
# After these the phrase before them is complete; a determiner or "to" would show that its object was cut off.
_MAY_FOLLOW = (
    (_PREPOSITIONS - _set("of to than about"))
    | _CONJUNCTIONS
    | _QUESTIONS
    | (_ADVERBS - _set("more much many most such other same"))
    | _AUXILIARIES
)
_MAY_PRECEDE = _DETERMINERS | _PRONOUNS | _AUXILIARIES | _PREPOSITIONS | _CONJUNCTIONS | _QUESTIONS | _ADVERBS
_MAY_START = (
    (_PRONOUNS - _set("me him us them"))
    | _NEGATIONS
    | _QUESTIONS
    | _set("my no any another still already can't won't didn't don't doesn't isn't wasn't hasn't haven't i'm i've")
)
_MAY_END = _set("through yet again already today yesterday now")
# Verbs that say nothing without what follows them.
_OPEN = _set(
    "need want like get got getting make made give gave take took go going went let know tell see wondering trying "
    "tried keep seem seems seemed wish think thought help"
)
_THIRD_PERSON = {
    "i": "they", "me": "them", "my": "their", "mine": "theirs", "myself": "themselves", "am": "are", "i'm": "they are",
    "i've": "they have", "i'd": "they would", "i'll": "they will", "we": "they", "us": "them", "our": "their",
    "we're": "they are", "we've": "they have", "you": "we", "your": "our", "you're": "we are",
}  # fmt: skip
_HOW_TO = re.compile(r"^how (?:do|can|could|should|would) (?:i|we) (.+)$", re.I)
_WHETHER = re.compile(r"^(can|could|may|will|would|should|do|am|have|are) (i|we|you|there) (.+)$", re.I)
_WHICH = re.compile(
    r"^(what|where|when|why|who|which|how)((?: \w+)?) (do|can|could|will|would|should|am|was|are) (i|you|we) (.+)$",
    re.I,
)
_WHAT_IS = re.compile(r"^(what|where) (is|are) ((?:the|my|your) .+)$", re.I)
_STATES = re.compile(r"^(?:i|i'm|i've|we|we're|we've|my|our) .+$", re.I)
_GREETING = re.compile(r"^(?:(?:hi|hello|hey|please|ok|so|and|but|well|also)\b[ ,]*)+", re.I)


def phrases(text: str, longest: int = 5, max_chars: int = 40) -> Iterator[str]:
    """Yield the well-formed pieces of one to `longest` words of a text, none of them the whole text.

    A piece never cuts a run of content words, ends on a content word, and starts with one or with a word that may
    open a phrase ("how", "my", "not").
    """
    whole = [word.lower() for word in _WORD.findall(text)]
    for segment in _segments(text):
        lowered = [word.lower().replace("\u2019", "'") for word in segment]
        for start in range(len(segment)):
            if not _starts(lowered, start):
                continue
            for end in range(start + 1, min(start + longest, len(segment)) + 1):
                if not _ends(lowered, start, end) or lowered[start:end] == whole:
                    continue
                phrase = _quoted_form(segment[start:end])
                if len(phrase) <= max_chars:
                    yield phrase


def retold(text: str, max_words: int = 14) -> Iterator[str]:
    """Yield the sentences of a text that can safely be told in the third person.

    "How do I activate my card?" becomes "asks how to activate their card", "My card was stolen." becomes "says that
    their card was stolen". Sentences whose grammar a few patterns cannot turn are left out.
    """
    for sentence in re.split(r"[.?!\n]+(?=\s|$)", text.replace("\u2019", "'")):
        plain = _GREETING.sub("", sentence.strip()).strip(" ,;:")
        if not 3 <= len(plain.split()) <= max_words or re.search(r"[;:()\"“”`,]", plain):
            continue
        if told := _told(plain):
            yield told


def _told(sentence: str) -> str:
    if match := _HOW_TO.match(sentence):
        return f"asks how to {_third_person(match[1])}"
    if match := _WHETHER.match(sentence):
        verb = "" if match[1].lower() == "do" else f" {match[1].lower()}"
        return f"asks whether {_third_person(f'{match[2]}{verb} {match[3]}')}"
    if match := _WHICH.match(sentence):
        verb = "" if match[3].lower() == "do" else f" {match[3].lower()}"
        verb = " were" if verb == " was" else verb
        return f"asks {match[1].lower()}{match[2]} {_third_person(f'{match[4]}{verb} {match[5]}')}"
    if (match := _WHAT_IS.match(sentence)) and len(match[3].split()) <= 6:
        return f"asks {match[1].lower()} {_third_person(match[3])} {match[2]}"
    if _STATES.match(sentence):
        return f"says that {_third_person(sentence)}"
    return ""


def _third_person(words: str) -> str:
    told = " ".join(_THIRD_PERSON.get(word.lower(), word) for word in words.split())
    return re.sub(r"\b(they|we) was\b", r"\1 were", told[:1].lower() + told[1:])


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text that are not grammar, in lower case."""
    return frozenset(word.lower().replace("\u2019", "'") for word in _WORD.findall(text)) - FUNCTION_WORDS


def listed(items: Sequence[str], last: str = "or") -> str:
    """Return "a, b or c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def _segments(text: str) -> Iterator[list[str]]:
    """The text's stretches between punctuation, as words in their own spelling."""
    for segment in _SEGMENT.split(text):
        if words := _WORD.findall(segment):
            yield words


def _starts(words: Sequence[str], at: int) -> bool:
    word, before = words[at], words[at - 1] if at else ""
    if not _spoken(word):
        return False
    if word in FUNCTION_WORDS and word not in _MAY_START:
        # "can I …", "is there …": only where the sentence starts, and only as a question.
        return at == 0 and word in _AUXILIARIES and len(words) > 1 and words[1] in ("i", "you", "there", "it")
    if word in _PRONOUNS and before in _AUXILIARIES:
        return False
    return before == "" or before in _MAY_PRECEDE or word in _MAY_START


def _ends(words: Sequence[str], start: int, end: int) -> bool:
    last, after = words[end - 1], words[end] if end < len(words) else ""
    inner = words[start:end]
    if not all(map(_spoken, inner)) or (set(inner[1:]) & (_CONJUNCTIONS - _set("when if that"))):
        return False
    content = [word for word in inner if word not in FUNCTION_WORDS]
    if not content or (len(content) == 1 and content[0] in _OPEN) or (len(inner) == 1 and len(last) < 4):
        return False
    if (last in FUNCTION_WORDS or last in _OPEN) and last not in _MAY_END:
        return False
    return after == "" or after in _MAY_FOLLOW


def _spoken(word: str) -> bool:
    """Whether a word can stand in a sentence: letters or digits, no mark-up."""
    return word[0].isalnum() and word.replace("'", "").replace("-", "").isalnum()


def _quoted_form(words: Sequence[str]) -> str:
    """Lower the first letter unless it is a name, an abbreviation or "I"; write a lone "i" as "I"."""
    first = words[0]
    if first[:1].isupper() and first[1:].islower():
        words = [first.lower(), *words[1:]]
    return " ".join(re.sub(r"^i(?=$|['\u2019])", "I", word) for word in words)
