"""Keep the tables out of the common session: `test_device.py` runs them in processes of
their own, because registering the pretend device changes PyTorch for a whole process.
"""

collect_ignore_glob = ["[!tc]*.py"]
