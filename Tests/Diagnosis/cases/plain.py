"""Programs of plain Python that fail as they do everywhere: modules, files, lookups, types, arithmetic."""

from corpus import fails, healthy

fails("module-missing", "missing-module", """
import sys
print("loading tokenizer", flush=True)
import sentencepiece_turbo
""", r"ModuleNotFoundError: No module named 'sentencepiece_turbo'")
fails("key-error-batch", "lookup", """
from fieldkit import steps
steps(4)
batch = {"input_ids": [1], "labels": [2]}
print(batch["attention_mask"])
""", r"KeyError: 'attention_mask'", start="script")
healthy("plain-run", """
from fieldkit import steps
steps(5)
print("training finished, best loss 1.84")
""")
