#!/usr/bin/env python3
"""What the wire sees of a replay, on two cores of this machine, of which the target keeps to core 1.

lateness    At the target: arrivals as benches/recorder.rs stamps them against the moments of the plan, the clocks aligned so
            that the earliest thousandth of all requests is in time; what was delivered of the plan, and how evenly.
pace        A uniform pace beside oha, httperf and Locust, those that are installed, as the same recorder sees it.
poisson     The same for requests at random, beside httperf and tsung.
throughput  Most requests per second that one core sends, closed-loop: beside wrk and oha, against nginx.
memory      Of many sessions that think.
growth      Of the memory of a run of an hour, 200 requests and 10 new sessions per second; only when it is asked for.
laws        The law of the arrivals, as the run checks itself, with 20 seeds at 1,000 requests per second.
overload    Honesty under load that nobody could keep: 50 runs, half with a target that waits and half with a generator
            that gets a quarter of its core.

Usage: benches/wire.py [PART]..., all but growth by default. Each goal stands beside its figure, by its number. Figures of a busy
machine mean nothing: the load is printed with them.
"""
import array, itertools, json, math, os, random, re, resource, signal, subprocess, sys, tempfile, time

import peers

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


def recorded(stamps):
    """Pairs of a session's name and the moment in seconds at which a request of it arrived, in that order."""
    pairs = array.array("Q", open(stamps, "rb").read())
    return list(zip(pairs[::2], (at_ns / 1e9 for at_ns in pairs[1::2])))


def quantile(of_sorted, q):
    return of_sorted[min(int(q * len(of_sorted)), len(of_sorted) - 1)]


def lateness(directory):
    rows = []
    print("\nlateness at the target and by its own account, milliseconds (G1, G2)\n"
          "  rate/s   sent/s    p50    p99   p99.9  goal p99  self p50  goal  self p99  goal")
    for rate, sessions, goal, own_goals in [(1000, 100, 0.5, ("0.010", "0.100")), (5000, 500, 0.5, ("", "")),
                                            (20000, 1000, 1.0, ("", ""))]:
        profile(directory, sessions / rate, "pacing", 0.0005)
        stamps = os.path.join(directory, "arrivals")
        recorder = pinned(1, RECORDER, str(SECONDS + 3), stamps, stdout=subprocess.PIPE)
        # Bound to one core, the generator would not spin: it would hold that core for the only one.
        report, _ = replay(directory, f"http://{recorder.stdout.readline().strip()}", sessions, SECONDS, cores="0,1")
        recorder.wait()
        due, arrived, places = planned(directory, sessions, SECONDS), recorded(stamps), {}
        late = []
        for name, at_s in arrived:
            place = places.get(name, 0)
            places[name] = place + 1
            if place < len(due.get(name, ())):
                late.append((due[name][place], at_s - due[name][place]))
        base = sorted(offset for _, offset in late)[len(late) // 1000]
        warm = sorted((offset - base) * 1e3 for at, offset in late if at > WARM_UP_S)
        own = report["send_delay_s"]
        print(f"{rate:8} {len(warm) / (SECONDS - WARM_UP_S):8.0f} {quantile(warm, .5):6.3f} {quantile(warm, .99):6.3f}"
              f" {quantile(warm, .999):7.3f} {goal:9.1f} {own['p50_s'] * 1e3:9.3f} {own_goals[0]:>5}"
              f" {own['p99_s'] * 1e3:9.3f} {own_goals[1]:>5}   {report['pacing']['mode']}", flush=True)
        rows.append((rate, report, [at for session in due.values() for at in session], arrived, base, late))
    print("\ndelivered: requests that the recorder saw against those that were due, from second 2 to 12 (G3), and the index of\n"
          "dispersion of what it saw, with the plan's in brackets (G5)\n"
          "  rate/s      due     seen     error  silently lost  drift ppm          at 10 ms        at 100 ms           at 1 s")
    for rate, report, due, arrived, base, late in rows:
        within = lambda moments: sum(WARM_UP_S < at <= SECONDS for at in moments)
        seen = [at_s - base for _, at_s in arrived]
        requests = report["requests"]
        named = sum(requests[fate] for fate in ("completed", "failed", "timed_out", "unfinished", "dropped", "lost", "cut"))
        # Planned and never named, or said to be sent and never seen.
        lost = requests["planned"] - named + requests["sent"] - requests["failed"] - len(arrived)
        shares = []
        for window_s in (0.01, 0.1, 1.0):
            wire, plan = (peers.dispersion(moments, WARM_UP_S, SECONDS, window_s) for moments in (seen, due))
            shares.append(f"{wire:8.3f} ({plan:.3f})")
        print(f"{rate:8} {within(due):8} {within(seen):8} {abs(within(seen) / within(due) - 1):9.4%} {lost:14}"
              f" {drift_ppm(late):10.2f} {shares[0]:>17} {shares[1]:>16} {shares[2]:>16}")
    print("    goals                        0.1000%              0         10       within 10 % of the plan's, each")


def drift_ppm(late):
    """How much slower than the plan the clock of the sender went: medians of the first and the last second's lateness."""
    first = sorted(offset for at, offset in late if WARM_UP_S < at <= WARM_UP_S + 1)
    last = sorted(offset for at, offset in late if SECONDS - 1 < at <= SECONDS)
    return abs(quantile(last, .5) - quantile(first, .5)) / (SECONDS - 1 - WARM_UP_S) * 1e6


def traced(directory, moments_s):
    """The command that sends a request at each of these moments, over 64 connections in turn, to a URL: as events of a
    trace, because a profile would have sessions begin at random."""
    trace = os.path.join(directory, "moments.csv")
    with open(trace, "w") as rows:
        rows.write("started_at,duration_s,client,method,route,endpoint,status\n")
        for i, moment_s in enumerate(moments_s):
            at_ns = round((moment_s + 0.5) * 1e9)
            rows.write(f"2026-11-02T08:00:{at_ns // 10**9:02}.{at_ns % 10**9:09}Z,,c{i % 64},GET,/,get_home,200\n")
    return lambda url: [REPLAYER, "run", trace, "--trace", "--target", url, "--quiet"]


def beside(directory, ours, commands_of, rate, seconds):
    """What the recorder saw of `ours` and of each installed peer, one after the other: name and moments in order, from
    two seconds after the first one on, and no longer than was asked for."""
    for name in [*ours, *commands_of(directory, "http://127.0.0.1:1", rate)]:
        stamps = os.path.join(directory, "arrivals")
        # Erlang and Python take their time to begin.
        recorder = pinned(1, RECORDER, str(seconds + {"tsung": 8, "locust": 5}.get(name, 2)), stamps, stdout=subprocess.PIPE)
        url = f"http://{recorder.stdout.readline().strip()}"
        command = ours[name](url) if name in ours else commands_of(directory, url, rate)[name](seconds)
        # Ours looks whether a core is to spare, and would not spin on a single one.
        sender = pinned("0,1" if name in ours else 0, *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        recorder.wait()
        try:
            sender.wait(20)
        except subprocess.TimeoutExpired:
            sender.kill()
        moments = sorted(at_s for _, at_s in recorded(stamps))
        from_s = moments[0] + WARM_UP_S if moments else 0.0
        yield name, [at_s for at_s in moments if from_s < at_s <= from_s + seconds - WARM_UP_S]


def pace(directory):
    seconds = 10
    print("\na uniform pace as the same recorder sees it: milliseconds behind the evenly spaced grid that fits best\n"
          "  rate/s              seen/s    error     p50     p99    p99.9  dispersion at 10 ms (plan 0)")
    for rate in (1000, 5000):
        ours = {"replayer": traced(directory, [i / rate for i in range(rate * seconds)])}
        for name, moments in beside(directory, ours, peers.uniform, rate, seconds):
            if len(moments) < rate:
                print(f"{rate:8} {name:>10}  hardly anything came: {len(moments)} requests")
                continue
            off, period_s = peers.off_the_grid(moments)
            error = abs(1 / period_s / rate - 1)
            found = f"{rate:8} {name:>10} {1 / period_s:9.1f} {error:8.3%}"
            if error > 0.02:
                print(f"{found}   the rate was not kept: there is no grid to lie behind", flush=True)
                continue
            index = peers.dispersion(moments, moments[0], moments[-1], 0.01)
            print(f"{found} {quantile(off, .5) * 1e3:7.3f} {quantile(off, .99) * 1e3:7.3f} {quantile(off, .999) * 1e3:8.3f}"
                  f" {index:11.2f}", flush=True)


def poisson(directory):
    rate, seconds = 1000, 12
    profile(directory, 0.05, "think", 0.9999)
    print("\na Poisson law as the same recorder sees it, 1,000 requests per second, each over a new connection if nothing else is\n"
          "said: A2 of the gaps against the exponential law (1 % point 1.96)\n"
          "                              seen/s        A2")
    random.seed(1)
    moments_s = itertools.accumulate(random.expovariate(rate) for _ in range(rate * seconds))
    kept = "replayer, connections kept"
    ours = {kept: traced(directory, moments_s),
            "replayer": lambda url: [REPLAYER, "run", f"{directory}/profile.yaml", "--target", url, "--scale", str(rate),
                                     "--duration", f"{seconds}s", "--warm-start", "off", "--keep-alive", "1s", "--quiet"]}
    for name, moments in beside(directory, ours, peers.poisson, rate, seconds):
        if len(moments) < rate:
            print(f"  {name:>26}  hardly anything came: {len(moments)} requests")
            continue
        goal = "  (goal 20, G4)" if name == kept else ""
        seen_per_s = (len(moments) - 1) / (moments[-1] - moments[0])
        print(f"  {name:>26} {seen_per_s:9.1f} {peers.anderson_darling(moments[:10_000]):9.1f}{goal}", flush=True)


def throughput(directory):
    conf = os.path.join(directory, "nginx.conf")
    open(conf, "w").write(f"daemon off; worker_processes 1; pid {directory}/pid; error_log stderr crit;\n"
                          "events { worker_connections 4096; }\n"
                          "http { access_log off; keepalive_requests 100000000; client_body_temp_path /tmp;\n"
                          "server { listen 127.0.0.1:18480; location / { return 200; } } }\n")
    nginx = pinned(1, "nginx", "-e", "/dev/null", "-p", directory, "-c", conf)
    time.sleep(1)
    url = "http://127.0.0.1:18480"
    # Pauses of a ten-millionth of a microsecond, which is none, and sessions longer than the measurement.
    profile(directory, 1e-13, "think", 2e-5)
    commands = {"wrk": ["wrk", "-t1", "-c64", "-d5s", url + "/"],
                "oha": ["oha", "-c", "64", "-z", "5s", "--no-tui", url + "/"]}
    rates, cpu_us = {}, []
    try:
        # In turn, so that what else the machine does meets all of them.
        for _ in range(3):
            report, cpu_s = replay(directory, url, 64, 5, "--pace", "eco", cores=0)
            rates.setdefault("replayer", []).append(report["requests"]["sent"] / report["elapsed_s"])
            cpu_us.append(cpu_s / report["requests"]["sent"] * 1e6)
            for name, command in peers.installed(commands).items():
                shown = subprocess.run(["taskset", "-c", "0", *command], capture_output=True, text=True)
                rates.setdefault(name, []).append(float(re.search(r"Requests/sec:\s*([\d.]+)", shown.stdout)[1]))
    finally:
        nginx.send_signal(signal.SIGQUIT)
        nginx.wait()
    median = {name: sorted(found)[1] for name, found in rates.items()}
    print("\nclosed-loop, 64 connections, one core against nginx `return 200` on the other: requests/s, median of three in turn")
    for name, found in rates.items():
        print(f"  {name:9} {median[name]:9.0f}   {' '.join(f'{rate:.0f}' for rate in sorted(found))}")
    print(f"  processor time per request {sorted(cpu_us)[1]:.1f} us (goal 50, G15)")
    for name, goal in [("wrk", "0.6"), ("oha", "above 1")]:
        if name in median:
            print(f"  replayer / {name} {median['replayer'] / median[name]:.2f} (goal {goal})")


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


def growth(directory):
    # Sessions of twenty requests in the mean, twenty seconds apart: some 4,000 at a time.
    profile(directory, 20.0, "think", 0.05)
    target = subprocess.Popen([REPLAYER, "target", f"{directory}/profile.yaml"], stdout=subprocess.PIPE, text=True)
    # The pace is of no interest here, and an hour of spinning would be a core's.
    run = subprocess.Popen([REPLAYER, "run", f"{directory}/profile.yaml", "--scale", "10", "--duration", "62m", "--drain", "5s",
                            "--pace", "eco", "--out", f"{directory}/out", "--format", "json", "--quiet", "--target",
                            target.stdout.readline().strip()], stdout=subprocess.PIPE, text=True)
    begun, samples = time.time(), []
    while run.poll() is None and time.time() - begun < 3720:
        time.sleep(60)
        found = re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{run.pid}/status").read())
        samples.append(int(found[1]) / 1024 if found else math.nan)
    report = json.loads(run.communicate()[0])
    target.kill()
    shown = ", ".join(f"{samples[minute]:.1f}" for minute in range(1, len(samples), 6))
    print(f"\n{report['requests']['sent']} requests of {report['sessions']['planned']} sessions in an hour; MiB resident, "
          f"every six minutes:\n  {shown}\n  growth from the second minute on {max(samples[1:]) - samples[1]:.1f} MiB (G9: 5)")


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
    PARTS = {part.__name__: part for part in (lateness, pace, poisson, throughput, memory, laws, overload, growth)}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as directory:
        for part in sys.argv[1:] or [part for part in PARTS if part != "growth"]:
            PARTS[part](directory)
