"""Other load generators, told to keep the pace that wire.py asks of ours, and what the recorder's stamps say of it.

Left out, because their figures would be of something else: wrk, which has no pace (wire.py has it for throughput); tsung
at a uniform pace, because it starts users by an exponential law only; oha and Locust at a Poisson law, which oha does not
have and Locust 2.47 has for the pauses of a user only.
"""
import math, os, shutil, urllib.parse


def uniform(directory, url, rate):
    """Commands that send `rate` requests per second evenly, by name, for those that are installed; `SECONDS` is how long."""
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    # Ten requests per second and user: each keeps a connection and its own pace.
    locustfile = os.path.join(directory, "locustfile.py")
    open(locustfile, "w").write("from locust import FastHttpUser, constant_throughput, task\n"
                                "class User(FastHttpUser):\n"
                                "    wait_time = constant_throughput(10)\n"
                                "    @task\n"
                                "    def ask(self): self.client.get('/')\n")
    users = str(rate // 10)
    return installed({
        "oha": lambda seconds: ["oha", "-q", str(rate), "--latency-correction", "-c", "64", "-z", f"{seconds}s", "--no-tui",
                                url],
        # A connection for each request: it keeps its pace between connections, not within them.
        "httperf": lambda seconds: ["httperf", "--hog", "--server", host, "--port", port, "--rate", str(rate),
                                    "--num-conns", str(rate * seconds), "--num-calls", "1", "--timeout", "5"],
        "locust": lambda seconds: ["locust", "-f", locustfile, "--headless", "--host", url, "-u", users, "-r", users,
                                   "-t", f"{seconds}s", "--only-summary"],
    })


def poisson(directory, url, rate):
    """The same for requests at random, each over a connection of its own."""
    host, port = urllib.parse.urlsplit(url).netloc.split(":")

    def tsung(seconds):
        conf = os.path.join(directory, "tsung.xml")
        open(conf, "w").write(f"""<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd">
<tsung loglevel="warning">
<clients><client host="localhost" use_controller_vm="true" maxusers="20000"/></clients>
<servers><server host="{host}" port="{port}" type="tcp"/></servers>
<load><arrivalphase phase="1" duration="{seconds}" unit="second"><users arrivalrate="{rate}" unit="second"/></arrivalphase></load>
<sessions><session name="one" probability="100" type="ts_http">
<request><http url="/" method="GET" version="1.1"/></request>
</session></sessions>
</tsung>
""")
        return ["tsung", "-f", conf, "-l", directory, "start"]

    return installed({
        "httperf": lambda seconds: ["httperf", "--hog", "--server", host, "--port", port, "--period", f"e{1 / rate}",
                                    "--num-conns", str(rate * seconds), "--num-calls", "1", "--timeout", "5"],
        "tsung": tsung,
    })


def installed(commands):
    return {name: command for name, command in commands.items() if shutil.which(name)}


def off_the_grid(at_s):
    """Seconds that each of the moments `at_s`, in order, lies behind the evenly spaced grid that fits them best: its
    period by least squares, its offset such that one moment in a thousand is early (replaying.md, 1). Also the period."""
    n = len(at_s)
    mean_i, mean_s = (n - 1) / 2, sum(at_s) / n
    period_s = sum((i - mean_i) * (s - mean_s) for i, s in enumerate(at_s)) / (n * (n * n - 1) / 12)
    off = [s - i * period_s for i, s in enumerate(at_s)]
    base = sorted(off)[n // 1000]
    return sorted(s - base for s in off), period_s


def dispersion(at_s, from_s, to_s, window_s):
    """Variance over mean of how many moments lie in each window; nothing where there are not two windows."""
    counts = [0] * int((to_s - from_s) / window_s + 1e-9)
    for s in at_s:
        window = math.floor((s - from_s) / window_s)
        if 0 <= window < len(counts):
            counts[window] += 1
    mean = sum(counts) / max(len(counts), 1)
    return sum((count - mean) ** 2 for count in counts) / len(counts) / mean if len(counts) > 1 and mean else math.nan


def anderson_darling(at_s):
    """A2 of the gaps between moments in order, against the exponential law of their mean; 1.96 is its 1 % point
    (Stephens 1974)."""
    gaps = sorted(max(b - a, 1e-12) for a, b in zip(at_s, at_s[1:]))
    n, mean_s = len(gaps), sum(gaps) / len(gaps)
    terms = ((2 * i + 1) * (math.log(-math.expm1(-gaps[i] / mean_s)) - gaps[n - 1 - i] / mean_s) for i in range(n))
    return -n - sum(terms) / n
