"""Train all cells at all tasks, and keep the results for notebook 14: `make odyssey`.

The notebook reads the file and trains nothing. It says what this takes: up to 20
minutes of the processor, so half of that on two cores.
"""

from pathlib import Path

from d2l_lstm.odyssey import ENTRANTS, keep, odyssey

RESULTS = Path(__file__).parent.parent / "notebooks" / "14_variant_odyssey.json"

if __name__ == "__main__":
    found = odyssey(ENTRANTS, seeds=range(3000, 3010), rate_seeds=(4000, 4001))
    keep(found, RESULTS)
    print(f"{RESULTS.name}: {RESULTS.stat().st_size / 1000:.0f} kB")
