"""Two halves of a piece of work, and the number of OpenBLAS's threads."""

import threading

import pytest

from motet.storage.cores import Both, one_core, usable_cores


@pytest.mark.parametrize("cores", [1, 2])
def test_both_halves_are_done_and_come_back_in_order(cores: int) -> None:
    both = Both(cores)
    assert [both(lambda x: x * 2, (3, 4)) for _ in range(50)] == [(6, 8)] * 50


def test_the_second_half_goes_to_another_thread() -> None:
    meet = threading.Barrier(2, timeout=30)  # nobody passes it alone

    def work(name: str) -> tuple[str, int]:
        meet.wait()
        return name, threading.get_ident()

    (first, here), (second, there) = Both(2)(work, ("first", "second"))
    assert (first, second) == ("first", "second")
    assert here == threading.get_ident() != there


def test_a_caller_does_both_while_the_other_thread_is_busy() -> None:
    both, began, go_on = Both(2), threading.Event(), threading.Event()
    waiting = threading.get_ident()

    def hold(name: str) -> str:
        if threading.get_ident() != waiting and name == "second":
            began.set()
            assert go_on.wait(30)
        else:
            assert began.wait(30)
            assert both(str, (1, 2)) == ("1", "2"), "it does not wait for the other one"
            go_on.set()
        return name

    assert both(hold, ("first", "second")) == ("first", "second")


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_of_either_half_is_raised(bad: int) -> None:
    def work(number: int) -> float:
        return 1 / (number - bad)

    with pytest.raises(ZeroDivisionError):
        Both(2)(work, (0, 1))


def test_one_core_is_put_back_when_the_last_is_done() -> None:
    import ctypes

    from numpy._core import _multiarray_umath  # pyright: ignore[reportAttributeAccessIssue]  # in no stub

    library = ctypes.CDLL(_multiarray_umath.__file__)
    get = getattr(library, "scipy_openblas_get_num_threads64_", None)
    if get is None:
        pytest.skip("NumPy has no OpenBLAS here")
    before = get()
    with one_core():
        with one_core():
            assert get() == 1
        assert get() == 1
    assert get() == before


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1
