"""The machine and its state.

Purpose.     What a reader needs to judge a number, or to explain why theirs differs. What the machine does not tell is
             recorded as such.
"""
import datetime
import os
import platform

UNKNOWN = "not told"


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def field(text, name):
    return next((line.split(":", 1)[1].strip() for line in (text or "").splitlines() if line.startswith(name)), None)


def facts(cpus):
    cpu_info, memory = read("/proc/cpuinfo"), field(read("/proc/meminfo"), "MemTotal")
    system = dict(line.split("=", 1) for line in (read("/etc/os-release") or "").splitlines() if "=" in line)
    first = f"/sys/devices/system/cpu/cpu{cpus[0]}"
    boost = read("/sys/devices/system/cpu/cpufreq/boost")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": field(cpu_info, "model name") or platform.machine(),
        "processors": os.cpu_count(),
        "pinned": ",".join(map(str, cpus)),
        "governor": read(f"{first}/cpufreq/scaling_governor") or UNKNOWN,
        "boost": {"0": "off", "1": "on"}.get(boost, UNKNOWN),
        "virtual": "yes" if "hypervisor" in (field(cpu_info, "flags") or "").split() else "no",
        "memory": memory or UNKNOWN,
        "thp": chosen(read("/sys/kernel/mm/transparent_hugepage/enabled")),
        "overcommit": read("/proc/sys/vm/overcommit_memory") or UNKNOWN,
        "aslr": read("/proc/sys/kernel/randomize_va_space") or UNKNOWN,
        "kernel": platform.release(),
        "system": system.get("PRETTY_NAME", UNKNOWN).strip('"'),
        "libc": " ".join(platform.libc_ver()),
        "load_before": round(os.getloadavg()[0], 2),
    }


def chosen(text):
    """The word in brackets of a kernel's choice."""
    return text[text.index("[") + 1:text.index("]")] if text and "[" in text else UNKNOWN
