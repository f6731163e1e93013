#!/usr/bin/env python3
"""What the wire sees of a replay, on two cores of this machine, of which the target keeps to core 1.

1. Lateness at the target: arrivals as benches/recorder.rs stamps them against the moments of the plan, the clocks
   aligned so that the earliest thousandth of all requests is in time.
2. Most requests per second that one core sends, closed-loop: beside wrk, and oha if it is there, against nginx.
3. Memory of many sessions that think.
4. The law of the arrivals, as the run checks itself, with 20 seeds at 1,000 requests per second.
5. Honesty under load that nobody could keep: 50 runs, half with a target that waits and half with a generator that
   gets a quarter of its core.

Usage: benches/wire.py [lateness] [throughput] [memory] [laws] [overload], all of them by default. Figures of a busy machine mean nothing:
the load is printed with them.
"""
import array, json, math, os, re, resource, shutil, signal, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")
REPLAYER, RECORDER = f"{TARGET}/release/replayer", f"{TARGET}/debug/examples/recorder"
SECONDS, WARM_UP_S = 12, 2.0


def profile(directory, pause_s, kind, end):
    """One endpoint, asked for again and again with such pauses; one session in the second at scale 1."""
    text = open(f"{ROOT}/shared/src/example.yaml").read()
    text = re.sub(r"start: .*", "start: {get_home: 1.0}", text)
    text = re.sub(r"next: \{END: 0.4,.*", f"next: {{END: {end}, get_home: {1 - end}}}", text)
    text = re.sub(r"kind: think\n", f"kind: {kind}\n", text)
    text = re.sub(r"mu: 0.7, sigma: 0.9", f"mu: {math.log(pause_s)}, sigma: 0.1", text)
    text = re.sub(r"(\w\w\w): \[0.01, .*", r"\1: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]", text)
    text = re.sub(r"rate_per_s: 0.08", "rate_per_s: 1.0", text)
    path = os.path.join(directory, "profile.yaml")
    open(path, "w").write(text)
    return path


def pinned(cores, *command, **more):
    return subprocess.Popen(["taskset", "-c", str(cores), *command], text=True, **more)


def replay(directory, url, sessions, drain_s, *more, cores, duration="1s"):
    """Its result, and the processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = pinned(cores, REPLAYER, "run", f"{directory}/profile.yaml", "--target", url, "--scale", str(sessions),
                 "--duration", duration, "--drain", f"{drain_s}s", "--warm-start", "off", "--quiet", "--format", "json",
                 *more, stdout=subprocess.PIPE)
    report = json.loads(run.communicate()[0])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return report, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def planned(directory, sessions, until_s):
    """Session to the moments in seconds at which its requests are due."""
    shown = subprocess.run([REPLAYER, "plan", f"{directory}/profile.yaml", "--scale", str(sessions), "--duration", "1s",
                            "--warm-start", "off", "--sessions", "1000000", "--format", "json"],
                           capture_output=True, text=True, check=True)
    moments = {}
    for session in json.loads(shown.stdout)["first"]:
        at, due = session["starts_at_s"], []
        for step in session["steps"]:
            at += step.get("pause_s", 0.0)
            if at > until_s:
                break
            due.append(at)
        moments[int(session["name"], 16)] = due
    return moments


def lateness(directory):
    print("\nlateness at the target, milliseconds\n"
          "  rate/s   sent/s    p50    p99   p99.9  self p50  self p99    goal p99")
    for rate, sessions, goal in [(1000, 100, 0.5), (5000, 500, 0.5), (20000, 1000, 1.0)]:
        profile(directory, sessions / rate, "pacing", 0.0005)
        stamps = os.path.join(directory, "arrivals")
        recorder = pinned(1, RECORDER, str(SECONDS + 3), stamps, stdout=subprocess.PIPE)
        # Bound to one core, the generator would not spin: it would hold that core for the only one.
        report, _ = replay(directory, f"http://{recorder.stdout.readline().strip()}", sessions, SECONDS, cores="0,1")
        recorder.wait()
        due, seen = planned(directory, sessions, SECONDS), {}
        pairs = array.array("Q", open(stamps, "rb").read())
        late = []
        for name, at_ns in zip(pairs[::2], pairs[1::2]):
            place = seen.get(name, 0)
            seen[name] = place + 1
            if place < len(due.get(name, ())):
                late.append((due[name][place], at_ns / 1e9 - due[name][place]))
        base = sorted(offset for _, offset in late)[len(late) // 1000]
        late = sorted((offset - base) * 1e3 for at, offset in late if at > WARM_UP_S)
        at = lambda q: late[min(int(q * len(late)), len(late) - 1)]
        own = report["send_delay_s"]
        print(f"{rate:8} {len(late) / (SECONDS - WARM_UP_S):8.0f} {at(.5):6.3f} {at(.99):6.3f} {at(.999):7.3f}"
              f" {own['p50_s'] * 1e3:9.3f} {own['p99_s'] * 1e3:9.3f} {goal:10.1f}   {report['pacing']['mode']}")


def throughput(directory):
    conf = os.path.join(directory, "nginx.conf")
    open(conf, "w").write(f"daemon off; worker_processes 1; pid {directory}/pid; error_log stderr crit;\n"
                          "events { worker_connections 4096; }\n"
                          "http { access_log off; keepalive_requests 100000000; client_body_temp_path /tmp;\n"
                          "server { listen 127.0.0.1:18480; location / { return 200; } } }\n")
    nginx = pinned(1, "nginx", "-e", "/dev/null", "-p", directory, "-c", conf)
    time.sleep(1)
    url = "http://127.0.0.1:18480"
    rates = {}
    try:
        # Pauses of a ten-millionth of a microsecond, which is none, and sessions longer than the measurement.
        profile(directory, 1e-13, "think", 2e-5)
        report, cpu_s = replay(directory, url, 64, 10, "--pace", "eco", cores=0)
        rates["replayer"] = report["requests"]["sent"] / report["elapsed_s"]
        each_us = cpu_s / report["requests"]["sent"] * 1e6
        if shutil.which("wrk"):
            shown = subprocess.run(["taskset", "-c", "0", "wrk", "-t1", "-c64", "-d10s", url + "/"],
                                   capture_output=True, text=True)
            rates["wrk"] = float(re.search(r"Requests/sec:\s*([\d.]+)", shown.stdout)[1])
        if shutil.which("oha"):
            shown = subprocess.run(["taskset", "-c", "0", "oha", "-c", "64", "-z", "10s", "--no-tui", url + "/"],
                                   capture_output=True, text=True)
            rates["oha"] = float(re.search(r"Requests/sec:\s*([\d.]+)", shown.stdout)[1])
    finally:
        nginx.send_signal(signal.SIGQUIT)
        nginx.wait()
    print("\nclosed-loop, 64 connections, one core against nginx `return 200` on the other: requests/s")
    for name, rate in rates.items():
        print(f"  {name:9} {rate:9.0f}")
    print(f"  processor time per request {each_us:.1f} us (goal 50)")
    if "wrk" in rates:
        print(f"  replayer / wrk {rates['replayer'] / rates['wrk']:.2f} (goal 0.6)")


def memory(directory):
    sessions = 100_000
    # Sessions of twenty requests in the mean; one in twenty does not come to thinking.
    profile(directory, 3600.0, "think", 0.05)
    recorder = pinned(1, RECORDER, "60", "/dev/null", stdout=subprocess.PIPE)
    run = subprocess.Popen([REPLAYER, "run", f"{directory}/profile.yaml", "--scale", str(sessions * 1.06 / 20), "--duration",
                            "20s", "--warm-start", "off", "--drain", "24h", "--keep-alive", "1s", "--format", "json",
                            "--quiet", "--target", f"http://{recorder.stdout.readline().strip()}"], stdout=subprocess.PIPE, text=True)
    time.sleep(26)
    status = open(f"/proc/{run.pid}/status").read()
    resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
    run.send_signal(signal.SIGINT)
    report = json.loads(run.communicate()[0])
    recorder.kill()
    thinking = report["sessions"]["planned"] * 0.95
    print(f"\n{report['sessions']['planned']} sessions, about {thinking:.0f} of them thinking: "
          f"{resident / 1024:.0f} MiB resident (goal 300), {resident * 1024 / thinking:.0f} bytes each")


def law(directory, sessions, end):
    """Twenty seeds of 1,000 requests per second, by so many sessions per second that end with this probability."""
    profile(directory, 0.05, "think", end)
    recorder = pinned(1, RECORDER, "600", "/dev/null", stdout=subprocess.PIPE)
    url = f"http://{recorder.stdout.readline().strip()}"
    print(f"\nlaw of the arrivals, {sessions} sessions and 1,000 requests per second for 10 s\n"
          "  seed  planned    sent     A2    KS p  worst dispersion  send delay p99  verdict")
    good, sent_all, planned_all = 0, 0, 0
    for seed in range(1, 21):
        report, _ = replay(directory, url, sessions, 5, "--seed", str(seed), cores="0,1", duration="10s")
        starts, requests = report["self_check"]["starts"], report["requests"]
        apart = max(abs(scale["sent"] / scale["planned"] - 1) for scale in report["self_check"]["dispersion"])
        good += starts["a2"] < 3.92 and starts["ks_p"] > 0.01
        sent_all, planned_all = sent_all + requests["sent"], planned_all + requests["planned"]
        print(f"{seed:6} {requests['planned']:8} {requests['sent']:7} {starts['a2']:6.2f} {starts['ks_p']:7.3f}"
              f" {apart:17.4f} {report['send_delay_s']['p99_s'] * 1e3:12.3f} ms  {report['verdict']['level']}", flush=True)
    recorder.kill()
    print(f"  A2 < 3.92 and KS above 1 % in {good} of 20 (goal 19); "
          f"{sent_all} of {planned_all} requests sent (goal: error 0.1 %)")


def laws(directory):
    law(directory, 200, 0.2)
    # Every other request opens a connection, and what that takes no other request can start in.
    law(directory, 500, 0.5)


def overload(directory):
    profile(directory, 0.05, "think", 0.5)
    target = subprocess.Popen(["taskset", "-c", "1", REPLAYER, "target", f"{directory}/profile.yaml"],
                              stdout=subprocess.PIPE, text=True)
    url = target.stdout.readline().strip()
    counts = {"target": {}, "generator": {}}
    for seed in range(1, 51):
        cause = "target" if seed % 2 else "generator"
        # The target answers after 28 ms in the mean, so 3,000 requests per second are 84 waiting ones.
        flags = ["--max-in-flight", "20"] if cause == "target" else []
        hogs = [] if cause == "target" else [pinned(0, "sh", "-c", "while :; do :; done") for _ in range(3)]
        cores = "0,1" if cause == "target" else 0
        report, _ = replay(directory, url, 1500, 3, "--seed", str(seed), *flags, cores=cores, duration="3s")
        for hog in hogs:
            hog.kill()
        verdict = report["verdict"]
        found = f"{verdict['level']}, {verdict.get('cause')}"
        counts[cause][found] = counts[cause].get(found, 0) + 1
    target.kill()
    print("\n50 overloaded runs (goal: none valid, the cause right in 48): what was found")
    for cause, found in counts.items():
        print(f"  overloaded {cause:10} {', '.join(f'{n} {what}' for what, n in sorted(found.items()))}")


if __name__ == "__main__":
    if os.environ.get("BUILT") is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "replayer", "--bin", "replayer"], check=True, cwd=ROOT)
        # Optimised enough, and without building all that tests need once more.
        subprocess.run(["cargo", "build", "--quiet", "-p", "replayer", "--example", "recorder"], check=True, cwd=ROOT)
    PARTS = {part.__name__: part for part in (lateness, throughput, memory, laws, overload)}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as directory:
        for part in sys.argv[1:] or PARTS:
            PARTS[part](directory)
