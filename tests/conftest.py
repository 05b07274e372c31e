from pathlib import Path

import pytest

from ivbench_data.sources.demo import make_demo


@pytest.fixture(scope="session")
def demo_media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the demo's own files under `demo/`, made once a session. To be read, never written to."""
    root = tmp_path_factory.mktemp("demo_root")
    for _ in make_demo(root):
        pass
    return root
