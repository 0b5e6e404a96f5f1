"""The output of threads, pools and subprocesses of runs; each test uses the same real worker."""

from __future__ import annotations

import time

import pytest

from workers import Workers, is_alive, wait_for

JOBS = """
import asyncio
import concurrent.futures
import contextvars
import ctypes
import io
import logging
import multiprocessing
import multiprocessing.pool
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

shared = concurrent.futures.ThreadPoolExecutor(1)
mine = contextvars.ContextVar("mine", default="nothing")
first_has_begun = threading.Event()
second_has_ended = threading.Event()


def say(text="hi"):
    print(text)


def in_thread():
    mine.set("a value of the user")
    thread = threading.Thread(target=lambda: print("thread", mine.get()))
    thread.start()
    thread.join()
    print(sorted(vars(thread).keys() & {"run"}))


class Own(threading.Thread):
    def run(self):
        inner = threading.Thread(target=print, args=("inner",))
        inner.start()
        inner.join()
        print("own")


def in_subclass():
    thread = Own()
    thread.start()
    thread.join()
    timer = threading.Timer(0.01, print, ["timer"])
    timer.start()
    timer.join()


def raising_thread():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()


def in_pools():
    mine.set("a value of the user")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda text: print(text, mine.get()), ["one"]))
    with multiprocessing.pool.ThreadPool(2) as pool:
        pool.map(say, ["two"])
    with concurrent.futures.ThreadPoolExecutor(1, initializer=say, initargs=["begun"]) as pool:
        pool.submit(int)
    asyncio.run(to_executor())


async def to_executor():
    await asyncio.get_running_loop().run_in_executor(None, print, "three")
    await asyncio.to_thread(print, "four")


def first_of_shared(number):
    shared.submit(print, "first", number).result()
    first_has_begun.set()
    assert second_has_ended.wait(60)
    shared.submit(print, "first again", number).result()


def second_of_shared(number):
    assert first_has_begun.wait(60)
    shared.submit(print, "second", number).result()
    second_has_ended.set()


def late_thread():
    def speak():
        time.sleep(0.3)
        print("too late for the run")

    threading.Thread(target=speak).start()
    print("on time")


def in_subprocesses():
    print("before")
    subprocess.run(["echo", "run"], check=True)
    subprocess.run("echo shell; echo err >&2", shell=True)
    print("between")
    assert os.system("echo system; exit 3") >> 8 == 3
    with os.popen("echo to stderr >&2; echo popen") as pipe:
        print("read", pipe.read().strip())
    with os.popen("cat", "w") as pipe:
        pipe.write("written\\n")
    subprocess.Popen(["echo", "stdout"], stdout=sys.stdout).wait()
    subprocess.Popen(["sh", "-c", "echo swapped >&2"], stderr=sys.stdout).wait()
    subprocess.Popen("echo preexec", shell=True, preexec_fn=os.getpid).wait()
    print("after")


def redirected():
    print(subprocess.run(["echo", "caught"], capture_output=True, text=True).stdout.strip())
    subprocess.run(["echo", "nowhere"], stdout=subprocess.DEVNULL)
    with tempfile.TemporaryFile() as file:
        subprocess.run("echo to the file; echo err >&2", shell=True, stdout=file)
        file.seek(0)
        print("file:", file.read().decode().strip())
    both = subprocess.run("echo x; echo y >&2", shell=True, stdout=-1, stderr=-2).stdout
    print(both)


async def async_subprocesses():
    print("before")
    process = await asyncio.create_subprocess_exec("echo", "exec")
    await process.wait()
    process = await asyncio.create_subprocess_shell("echo shell >&2")
    await process.wait()
    print("after")


def child(text):
    print(text)
    subprocess.run(["echo", text, "of a child"], check=True)


def processes(method):
    context = multiprocessing.get_context(method)
    process = context.Process(target=child, args=("process",))
    process.start()
    process.join()
    assert process.exitcode == 0
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(child, "pool").result()
    with context.Pool(1) as pool:
        pool.map(child, ["old pool"])


kept = sys.stdout
handler = logging.StreamHandler()


def by_what_was_kept():
    handler.emit(logging.makeLogRecord({"msg": "by a handler"}))
    print("text of a child", file=kept)
    kept.buffer.write(b"bytes of a child\\n")
    kept.flush()


def forks():
    print("before")
    process = multiprocessing.get_context("fork").Process(target=by_what_was_kept)
    process.start()
    process.join()
    print("after")


processes_of_all = []


def first_of_processes(method, stop):
    context = multiprocessing.get_context(method)
    processes_of_all[:] = [concurrent.futures.ProcessPoolExecutor(1, mp_context=context)]
    processes_of_all[0].submit(child, "first").result()
    Path(stop + ".go").touch()
    while not Path(stop).exists():
        time.sleep(0.01)
    processes_of_all[0].submit(child, "first again").result()


def second_of_processes(stop):
    processes_of_all[0].submit(child, "second").result()
    Path(stop).touch()


def third_of_processes():
    list(processes_of_all[0].map(child, ["third"]))
    processes_of_all[0].shutdown()


def speak_for_a_while(name, stop):
    for number in range(1000):
        subprocess.run(["echo", name], check=True)
        if Path(stop).exists() and number > 3:
            return


def leave_behind(seconds, stop):
    code = (
        "import sys, time, pathlib\\n"
        "time.sleep(float(sys.argv[1])); print('left behind', flush=True)\\n"
        "while not pathlib.Path(sys.argv[2]).exists():\\n"
        "    time.sleep(0.01); print('.', end='', flush=True)\\n"
        "print('grüße', end='')"
    )
    subprocess.Popen([sys.executable, "-c", code, str(seconds), stop])
    print("begun")


async def leave_behind_async(seconds, stop):
    leave_behind(seconds, stop)


def flood():
    subprocess.run("yes | head -c 100000000; echo the end", shell=True, check=True)


def endless():
    print("begun")
    process = subprocess.Popen("yes")
    threading.Timer(2.5, process.kill).start()


def in_pieces():
    for data in "grüße €".encode():
        sys.stdout.buffer.write(bytes([data]))
    sys.stderr.buffer.write("ü".encode()[:1])
    sys.stdout.buffer.write(b" and ")
    sys.stderr.buffer.write("ü".encode()[1:])
    sys.stdout.buffer.write(b"\\xe2\\x82")
    sys.stdout.buffer.flush()


def wrapped():
    text = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
    text.write("grüße durch eine Hülle")
    text.detach()


def broken_subprocess():
    program = (
        "import sys\\n"
        "for byte in 'grüße'.encode():\\n"
        "    sys.stdout.buffer.write(bytes([byte])); sys.stdout.flush()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    print("!")
    subprocess.run([sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'\\\\xe2')"])


def past_python():
    os.write(1, "grü".encode()[:3])
    time.sleep(0.1)
    os.write(1, "grüße past Python\\n".encode()[3:])
    os.write(2, b"\\x1b[31mred\\n")
    os.write(2, b"without an end")
    ctypes.CDLL(None).puts(b"by C")
    ctypes.CDLL(None).fflush(None)
    print("by Python")


def redirects_descriptors():
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        try:
            os.dup2(file.fileno(), 1)
            subprocess.run(["echo", "into the file"])
            os.system("echo this too")
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        print("file:", file.read())


def pty_output():
    import pty
    pid, descriptor = pty.fork()
    if not pid:
        os.write(1, b"terminal")
        os._exit(0)
    print(os.read(descriptor, 100))
    os.close(descriptor)
    os.waitpid(pid, 0)


def everything():
    os.write(1, b"written\\n")
    thread = threading.Thread(target=print, args=("thread",))
    thread.start()
    thread.join()
    subprocess.run(["echo", "subprocess"])
    os.system("echo system")
    print("\\ud800")
    for data in "grüße\\n".encode():
        sys.stdout.buffer.write(bytes([data]))
        sys.stdout.flush()
    subprocess.Popen("sleep 0.2; echo background", shell=True)


def descriptors():
    print(len(os.listdir("/proc/self/fd")), threading.active_count())
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(workers: Workers) -> None:
    workers.write("jobs.py", JOBS)


def output(workers: Workers, target: str, *args: object, **options: object) -> str:
    row = workers.run(f"jobs:{target}", *args, **options)
    assert row["state"] == "succeeded", row
    return row["output"]


def test_threads_print_to_their_run(workers):
    assert output(workers, "in_thread") == "thread nothing\n[]\n"
    assert output(workers, "in_subclass") == "inner\nown\ntimer\n"
    assert "ZeroDivisionError" in output(workers, "raising_thread")


def test_pools_print_to_the_run_that_submits(workers):
    assert output(workers, "in_pools") == "one nothing\ntwo\nbegun\nthree\nfour\n"
    runs = [
        (workers.begin("jobs:first_of_shared", n), workers.begin("jobs:second_of_shared", n))
        for n in (1,)
    ]
    for number, (first, second) in enumerate(runs, 1):
        assert workers.end(first)["output"] == f"first {number}\nfirst again {number}\n"
        assert workers.end(second)["output"] == f"second {number}\n"


def test_a_thread_that_outlives_its_run_prints_to_the_log(workers):
    assert output(workers, "late_thread") == "on time\n"
    wait_for(lambda: "too late for the run" in workers.logged())


def test_subprocesses_print_to_their_run_in_order(workers):
    first = "before\nrun\nshell\nerr\nbetween\nsystem\nto stderr\nread popen\nwritten\n"
    second = "stdout\nswapped\npreexec\nafter\n"
    assert output(workers, "in_subprocesses") == first + second
    assert output(workers, "async_subprocesses") == "before\nexec\nshell\nafter\n"


def test_redirected_streams_stay_redirected(workers):
    assert output(workers, "redirected") == "caught\nerr\nfile: to the file\nb'x\\ny\\n'\n"
    assert output(workers, "redirects_descriptors") == "file: b'into the file\\nthis too\\n'\n"
    assert output(workers, "pty_output") == "b'terminal'\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_print_to_their_run(workers, method):
    texts = [f"{text}\n{text} of a child\n" for text in ("process", "pool", "old pool")]
    assert output(workers, "processes", method) == "".join(texts)
    assert output(workers, "processes", method, process=True) == "".join(texts)


@pytest.mark.parametrize("process", [False, True])
def test_forks_print_to_streams_that_were_held(workers, process):
    texts = ["before", "by a handler", "text of a child", "bytes of a child", "after"]
    assert output(workers, "forks", process=process).splitlines() == texts


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_pool_of_several_runs_prints_to_the_one_that_submits(workers, tmp_path, method):
    stop = tmp_path / "stop"
    first = workers.begin("jobs:first_of_processes", method, str(stop))
    wait_for((tmp_path / "stop.go").exists)
    assert output(workers, "second_of_processes", str(stop)) == "second\nsecond of a child\n"
    texts = [f"{text}\n{text} of a child\n" for text in ("first", "first again")]
    assert workers.end(first)["output"] == "".join(texts)
    assert output(workers, "third_of_processes") == "third\nthird of a child\n"


def test_output_of_subprocesses_goes_to_their_own_runs(workers, tmp_path):
    stop = tmp_path / "stop"
    names = ["anna", "berta", "clara"]
    begun = [workers.begin("jobs:speak_for_a_while", name, str(stop)) for name in names]
    for name in begun:
        workers.row(name)
    stop.touch()
    for task, name in zip(begun, names, strict=True):
        assert set(workers.end(task)["output"].split()) == {name}


@pytest.mark.parametrize("target", ["leave_behind", "leave_behind_async"])
def test_subprocesses_are_read_for_a_second_after_the_run(workers, tmp_path, target):
    stop = tmp_path / "stop"
    begun = time.monotonic()
    assert output(workers, target, 0.2, str(stop)).startswith("begun\nleft behind\n.")
    assert time.monotonic() - begun < 10
    before = workers.logged().count("grüße")
    stop.touch()  # it still lives: nobody has closed its stream
    wait_for(lambda: workers.logged().count("grüße") == before + 1)


def test_a_subprocess_that_never_stops_holds_nobody_up(workers):
    text = output(workers, "flood")
    assert len(text) < 70_000
    assert text.endswith("the end\n")
    assert "begun\n" in output(workers, "endless")
    assert output(workers, "say") == "hi\n"


@pytest.mark.parametrize("process", [False, True])
def test_bytes_in_pieces_are_decoded_together(workers, process):
    text = output(workers, "in_pieces", process=process)
    if process:
        assert "grüße €" in text
    else:
        assert text == "grüße € and ü\\xe2\\x82"
        assert output(workers, "wrapped") == "grüße durch eine Hülle"
    assert output(workers, "broken_subprocess", process=process) == "grüße!\n\\xe2"


def test_what_goes_past_python_is_in_the_log_at_info(workers):
    assert output(workers, "past_python") == "by Python\n"
    for text in ("grüße past Python", "\\x1b[31mred", "without an end", "by C"):
        wait_for(lambda text=text: text in workers.logged())
    assert {r.levelname for r in workers.log if "past Python" in r.getMessage()} == {"INFO"}


def test_a_process_of_its_own_catches_everything(workers):
    lines = output(workers, "everything", process=True).splitlines()
    expected = ["written", "thread", "subprocess", "system", "background", "\\ud800", "grüße"]
    assert sorted(lines) == sorted(expected)


def test_nothing_is_left_of_a_pipe(workers):
    before = output(workers, "descriptors")
    for _ in range(10):
        output(workers, "in_subprocesses")
    assert wait_for(lambda: output(workers, "descriptors") <= before)
    assert all(map(is_alive, workers.pids()))


def test_a_stop_waits_for_what_subprocesses_have_printed(tmp_path):
    own = Workers(tmp_path)
    try:
        own.write(
            "jobs.py",
            "import asyncio, subprocess\n"
            "async def wait(path):\n"
            "    subprocess.Popen(['sh', '-c', 'echo begun; touch ' + path + '; sleep 60'])\n"
            "    await asyncio.sleep(60)\n",
        )
        name = own.begin("jobs:wait", str(tmp_path / "begun"))
        wait_for((tmp_path / "begun").exists)
        (pid,) = own.pids()
        begun = time.monotonic()
        own.call(own.executor.close())
        assert time.monotonic() - begun < 4.5  # else it would have been killed
        assert not is_alive(pid)
        assert own.end(name)["output"] == "begun\n"
    finally:
        own.close()
