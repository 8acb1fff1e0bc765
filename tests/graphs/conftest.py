"""The stage of the agents' tests serves the graphs' as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "agents"))
