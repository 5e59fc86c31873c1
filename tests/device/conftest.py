"""Keep the tables out of the common session: `test_device.py` runs each in a process of
its own, because registering the pretend device changes PyTorch for a whole process.
"""

collect_ignore_glob = ["[!tc]*.py"]
