import jaxtyping
import pytest


@pytest.fixture
def unchecked():
    """Without the checker of types, as readers run the code: the functions themselves
    must complain.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
