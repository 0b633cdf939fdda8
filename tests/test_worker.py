import threading

import pytest

from dreamvid.errors import StorageError
from dreamvid.machine.worker import Worker


def test_pieces_are_done_in_order_and_all_before_the_end():
    done = []
    with Worker() as worker:
        for number in range(20):
            worker(lambda number=number: done.append((number, threading.current_thread())))
    assert [number for number, _ in done] == list(range(20))
    assert threading.main_thread() not in {thread for _, thread in done}


def test_at_most_one_piece_is_behind():
    first, begun = threading.Event(), threading.Event()
    with Worker() as worker:
        worker(first.wait)
        threading.Timer(0.05, first.set).start()
        worker(begun.set)
        assert first.is_set()
    assert begun.is_set()


def full():
    raise StorageError("no room")


def given(*pieces):
    with Worker() as worker:
        for piece in pieces:
            worker(piece)


def test_an_error_is_raised_where_the_next_piece_is_given():
    later = []
    with pytest.raises(StorageError, match="no room"):
        given(full, lambda: later.append(1))
    assert not later


def test_an_error_of_the_last_piece_is_raised_at_the_end():
    with pytest.raises(StorageError, match="no room"):
        given(full)


def stopped(piece):
    with Worker() as worker:
        worker(piece)
        raise KeyboardInterrupt


def test_a_block_that_is_stopped_waits_for_the_piece_at_work():
    go, done = threading.Event(), []
    threading.Timer(0.05, go.set).start()
    with pytest.raises(KeyboardInterrupt):
        stopped(lambda: (go.wait(), done.append(1)))
    assert done == [1]
    with pytest.raises(KeyboardInterrupt):
        stopped(full)


def test_pieces_are_done_at_once_and_what_follows_on_them_in_order():
    together, followed = threading.Barrier(3, timeout=20), []
    with Worker(3) as worker:
        for number in range(6):

            def work(number=number):
                together.wait()
                return number, threading.current_thread()

            worker(work, followed.append)
    assert [number for number, _ in followed] == list(range(6))
    assert len({thread for _, thread in followed}) == 3


def test_nothing_follows_after_a_piece_that_went_wrong():
    begun, followed = threading.Barrier(2, timeout=20), []

    def wrong():
        begun.wait()
        raise StorageError("no room")

    def pieces():
        with Worker(2) as worker:
            worker(wrong, followed.append)
            worker(lambda: begun.wait() and None, followed.append)

    with pytest.raises(StorageError, match="no room"):
        pieces()
    assert not followed
