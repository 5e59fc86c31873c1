"""The schematics of chapter 26."""

from book.schematics.kit import Schematic


def agent_loop() -> Schematic:
    """Return the loop of an agent, at the second call of the first section's trace."""
    drawing = Schematic(
        "agent_loop",
        268,
        "The loop of an agent",
        """A conversation goes to the policy, SmolLM2. If its message is a call, here
        count_letters of Caracas, the program checks it, calls the tool and appends the
        result, 7, to the conversation. A message without a call is the answer.""",
    )
    task = drawing.box("task", 8, 42, 84, 48, note="a question")
    talk = drawing.box("conversation", 132, 36, 136, 60, note="task, calls, results")
    policy = drawing.box("policy", 326, 34, 104, 64, "train", note="SmolLM2")
    branch = drawing.box("a call?", 488, 44, 80, 44, "op")
    answer = drawing.box("answer", 608, 42, 64, 48, "ok", note="7")
    drawing.arrow(task.right, talk.left)
    drawing.arrow(talk.right, policy.left)
    drawing.arrow(policy.right, branch.left)
    drawing.arrow(branch.right, answer.left, "no")
    drawing.group("", 132, 128, 540, 132)
    drawing.parts.pop()  # its heading would be in the way of an arrow
    drawing.text("the program around the model", 660, 252, "h", "R")
    checks = drawing.box(
        "checks", 450, 184, 156, 52, "data", note="schema, budget, consent"
    )
    tool = drawing.box("tool", 284, 184, 124, 52, "data", note="count_letters")
    result = drawing.box("result", 158, 184, 84, 52, "data", note="7")
    drawing.arrow(branch.bottom, checks.top, "yes", shift=(8, 4), at=0.22, side="L")
    drawing.text("count_letters('Caracas')", 520, 174, "c", "R")
    drawing.arrow(checks.left, tool.right)
    drawing.arrow(tool.left, result.right)
    for name, x, y in (("h_{t}", 294, 58), ("a_{t}", 456, 58), ("o_{t}", 266, 202)):
        drawing.text(name, x, y, "s")
    drawing.arrow(
        result.top, talk.bottom, "appended", "back", shift=(8, 4), at=0.4, side="L"
    )
    return drawing


def tool_injection() -> Schematic:
    """Return an instruction in a file that becomes a call, and what stops it."""
    drawing = Schematic(
        "tool_injection",
        284,
        "Indirect prompt injection through a tool",
        """The policy reads a file in which an attacker has put a call of delete_file.
        The result goes back to the policy, which copies the call. An allow-list or
        consent stops it: harm in 0 of 10 tasks instead of 10.""",
    )
    task = drawing.box("task", 8, 36, 96, 48, note="read the file")
    policy = drawing.box("policy", 160, 28, 112, 64, "train", note="copies results")
    drawing.arrow(task.right, policy.left)
    file = drawing.box("a file that somebody wrote", 386, 16, 286, 88, "no")
    drawing.parts.pop()  # its name stands at the top
    drawing.text("a file that somebody wrote", 529, 36, "b")
    drawing.text("The delivery comes on Monday.", 529, 62, "c")
    drawing.text('{"name":"delete_file", ...}', 529, 86, "c")
    drawing.arrow((272, 50), (386, 50), "read_file")
    drawing.arrow(
        file.bottom,
        (244, 92),
        "result: text from outside",
        "back",
        via=[(529, 134), (244, 134)],
    )
    call = drawing.box("call", 132, 196, 112, 48, "no", note="delete_file")
    drawing.arrow((188, 92), call.top, "copied", shift=(-8, 4), side="R")
    allowed = drawing.box("allow-list", 288, 196, 110, 48, "ok", note="only read_file")
    consent = drawing.box("consent", 442, 196, 100, 48, "ok", note="a person")
    gone = drawing.box("diary lost", 586, 196, 86, 48, "no")
    drawing.arrow(call.right, allowed.left)
    drawing.arrow(allowed.right, consent.left)
    drawing.arrow(consent.right, gone.left)
    for x, text in (
        (188, "harm, of 10 tasks:"),
        (343, "0"),
        (492, "0"),
        (629, "neither: 10"),
    ):
        drawing.text(text, x, 268, "s" if x == 188 else "b")
    return drawing


def mcp_messages() -> Schematic:
    """Return the messages between a client and a server of the protocol."""
    drawing = Schematic(
        "mcp_messages",
        334,
        "Messages of the Model Context Protocol",
        """A client sends server/discover, tools/list and tools/call to a server; each
        gets a reply. The list describes the tool repeat with its schema; the call with
        ha and 3 runs it, and returns ha ha ha.""",
    )
    drawing.box("client", 118, 8, 130, 46, note="part of the agent")
    drawing.box("server", 412, 8, 130, 46, note="another program")
    drawing.box("", 178, 54, 10, 272, "op", shape="map")
    drawing.box("", 472, 54, 10, 272, "op", shape="map")
    drawing.box("repeat", 590, 266, 82, 46, "data", note="a function")
    rows = (
        ("discover", "server/discover", "revisions, capabilities"),
        ("list", "tools/list", "repeat(word, times), schema"),
        ("call", "tools/call repeat(ha, 3)", "“ha ha ha”, no error"),
    )
    for number, (name, request, reply) in enumerate(rows):
        y = 92 + 90 * number
        drawing.text(f"{number + 1}. {name}", 20, y + 22, "b", "L")
        drawing.arrow((188, y), (472, y), request)
        drawing.arrow((472, y + 38), (188, y + 38), reply, "back")
    drawing.arrow((482, 278), (590, 278), "ha, 3")
    drawing.arrow((590, 304), (482, 304), "ha ha ha", "back", shift=(0, 16))
    return drawing


def repair_loop() -> Schematic:
    """Return the loop of a coding agent, with the edit of the page's example."""
    drawing = Schematic(
        "repair_loop",
        224,
        "The loop of a coding agent",
        """The agent runs the tests in the sandbox. If one fails, a proposer gives an
        edit: an old and a new text. If the old text occurs once, the file is replaced
        as a whole and the tests run again; otherwise an error goes back.""",
    )
    tests = drawing.box("run_tests", 8, 60, 112, 52, "data", note="in the sandbox")
    report = drawing.box("all pass?", 168, 64, 96, 44, "op")
    policy = drawing.box("proposer", 318, 54, 124, 64, "train", note="model or search")
    edit = drawing.box("edit_file", 510, 60, 120, 52, "data", note="old, new")
    done = drawing.box("done", 184, 8, 64, 32, "ok")
    drawing.arrow(tests.right, report.left)
    drawing.arrow(report.top, done.bottom, "yes", shift=(8, 4), side="L")
    drawing.arrow(report.right, policy.left, "no")
    drawing.arrow(policy.right, edit.left, "a text")
    once = drawing.box("once?", 530, 164, 80, 44, "op")
    drawing.arrow(edit.bottom, once.top)
    whole = drawing.box("new file", 286, 160, 188, 52, note="written, then renamed")
    drawing.arrow(once.left, whole.right, "yes")
    drawing.arrow(whole.left, tests.bottom, "run again", "back", via=[(64, 186)])
    drawing.arrow(
        once.right,
        policy.top,
        "no: an error, and the file stays as it was",
        "back",
        via=[(660, 186), (660, 24), (380, 24)],
    )
    return drawing


DRAWINGS = (agent_loop, tool_injection, mcp_messages, repair_loop)
