EVENTS = ("instructions", "cycles", "ipc", "branch misses", "L1d misses", "LLC misses", "dTLB misses")
