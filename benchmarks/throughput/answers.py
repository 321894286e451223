"""The answering end of `workers.Answering`: a JSON object a line on the standard input, one back for each.

Only this module writes to what was the standard output: whatever a library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


def serve(begin: Callable[[], tuple[Mapping[str, Any], Answer]]) -> None:
    """Answer until the standard input ends, or a question has no answer (None).

    Where something fails the answer is {"error": line}, its traceback goes to standard error, and the process
    ends with 1.

    Args:
        begin: gives the first line, which comes unasked, and what answers the others.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: Mapping[str, Any]) -> None:
        print(json.dumps(dict(answer)), file=channel, flush=True)

    try:
        hello, answer = begin()
        say(hello)
        for line in sys.stdin:
            if (said := answer(json.loads(line))) is None:
                break
            say(said)
    except Exception as error:
        traceback.print_exc()
        say({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})
        sys.exit(1)
