"""What learned code might do to its own call: use up what it has, crash, or write an answer that is none.

None of it reaches anything outside; what counts is that it ends as a clean error.
"""

from __future__ import annotations

from tests.runtime.sandbox.attacks import Attack, tries

SHORT = 0.1  # seconds until a call that never ends is given up

RESOURCES = [
    Attack("memory: one object", "def attack(w):\n    return len(bytearray(2 << 30))\n", "memory"),
    Attack(
        "memory: many objects",
        "def attack(w):\n    x = []\n    while True:\n        x.append(bytearray(1 << 24))\n",
        "memory",
    ),
    tries("memory: a map", map="mmap.mmap(-1, 2 << 30)"),
    Attack("endless loop", "def attack(w):\n    while True:\n        pass\n", "timeout", seconds=SHORT),
    Attack("sleep", "def attack(w):\n    time.sleep(60)\n", "timeout", seconds=SHORT),
    Attack(
        "sleep that no signal ends",
        """
def attack(w):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
""",
        "timeout",
        seconds=SHORT,
    ),
    Attack(
        "loop inside C",
        "import re\ndef attack(w):\n    return re.match('(a+)+$', 'a' * 64 + 'b')\n",
        "timeout",
        seconds=SHORT,
    ),
    Attack("loop while importing", "while True: pass\n", "timeout", seconds=SHORT),
    Attack(
        "print without end", "def attack(w):\n    for _ in range(2000):\n        print('x' * 1000)\n    return []\n"
    ),
    Attack("answer too much", "def attack(w):\n    return 'x' * 10_000_000\n", "output"),
    Attack("deep recursion", "def attack(w):\n    return attack(w)\n", "exception"),
    Attack("crash", "def attack(w):\n    ctypes.string_at(0)\n", "died"),
    Attack("abort", "def attack(w):\n    os.abort()\n", "died"),
    Attack("leave", "def attack(w):\n    os._exit(0)\n", "died"),
    Attack("leave politely", "def attack(w):\n    sys.exit(0)\n", "exception"),
    Attack("close everything", "def attack(w):\n    os.closerange(0, 100)\n    return []\n", "died"),
]

ANSWERS = [
    Attack("not a number", "def attack(w):\n    return [float('nan')]\n", "result"),
    Attack("infinity", "def attack(w):\n    return {'x': float('-inf')}\n", "result"),
    Attack("half a character", "def attack(w):\n    return ['\\ud800']\n", "result"),
    Attack("half a character as a key", "def attack(w):\n    return {'\\ud800': 1}\n", "result"),
    Attack("half a character in an exception", "def attack(w):\n    raise ValueError('\\ud800')\n", "exception"),
    Attack("keys that are no text", "def attack(w):\n    return {1: 2}\n", "result"),
    Attack("an object", "def attack(w):\n    return object()\n", "result"),
    Attack("a loop of lists", "def attack(w):\n    x = []\n    x.append(x)\n    return x\n", "result"),
    Attack(
        "deep lists",
        "def attack(w):\n    x = []\n    for _ in range(50_000):\n        x = [x]\n    return x\n",
        "result",
    ),
    Attack("a number without end", "def attack(w):\n    return 10 ** 5000\n", "result"),
    Attack(
        "an exception without a message",
        "class Odd(Exception):\n    def __str__(self):\n        raise Odd\ndef attack(w):\n    raise Odd\n",
        "exception",
    ),
    Attack(
        "redefine what replies",
        """
def attack(w):
    for module in list(sys.modules.values()):
        for name in ("write", "dumps", "_exit", "answer", "encode", "_plain", "_told", "JSONEncoder", "memoryview"):
            if hasattr(module, name):
                try:
                    setattr(module, name, lambda *_, **__: b'{"result": "forged"}')
                except (TypeError, AttributeError):
                    pass
    return []
""",
        "result",
    ),
    *(
        Attack(
            f"write an answer of its own: {name}",
            f"""
def attack(w):
    for number in range(64):
        try:
            os.write(number, {written})
        except OSError:
            pass
    os._exit(0)
""",
            "result",
        )
        for name, written in {
            "no JSON": "b'harm'",
            "no text": "b'\\xff\\xfe'",
            "a number too large": "b'{\"result\": 1e999}'",
            "not a number": "b'{\"result\": NaN}'",
            "half a character": 'b\'{"result": "\\\\ud800"}\'',
            "deep lists": "b'{\"result\": ' + b'[' * 50_000 + b']' * 50_000 + b'}'",
            "too many digits": "b'{\"result\": ' + b'9' * 50_000 + b'}'",
            "no object": "b'[1]'",
            "an odd error": 'b\'{"error": {"reason": []}}\'',
            "a list of tests": "b'{\"tests\": []}'",
        }.items()
    ),
    Attack(
        "write an answer without end",
        "def attack(w):\n    while True:\n        for n in range(3, 32):\n            try:\n"
        "                os.write(n, b'[' * 65536)\n            except OSError:\n                pass\n",
        "output",
    ),
    Attack(
        "write a frame of the sandbox's own",
        """
import struct
def attack(w):
    head = b'{"number": 999, "end": "answer", "status": 0, "cpu_s": 0}'
    for number in range(64):
        try:
            os.write(number, struct.pack("!II", len(head), 3) + head + b"!{}")
        except OSError:
            pass
    return []
""",
        "result",
    ),
    Attack(
        "poison the next call",
        """
import builtins
def attack(w):
    json.dumps = json.loads = json.JSONEncoder.encode = None
    sys.modules.clear()
    sys.path[:] = ["/tmp"]
    try:
        write("/tmp/json.py", "raise SystemExit")
        write("/tmp/agentsym-left")
    except OSError:
        pass
    builtins.len = builtins.print = None
    return []
""",
        good=lambda answer: True,
    ),
]

ON_ITSELF = [*RESOURCES, *ANSWERS]
