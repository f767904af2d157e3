"""How fast durable_nb is on this machine: ``python -m benchmarks``.

Workloads W1 to W8, each in fresh processes with a store of its own, on SQLite with ``synchronous=FULL``. What a
workload does is written once, against :class:`benchmarks.system.System`, and runs unchanged on every system compared.

========== ===================================================================
module     holds
========== ===================================================================
__main__   the command: options, order of the runs, JSON
catalog    sizes, and what each metric must reach
system     what a system under test offers; ``system_*`` are the systems
cell       the child process: one system, one measured piece of work
children   starting cells, killing them, timing them from outside
throughput W1 W2 W3
latency    W4 W7
crash      W5
idle       W6
starts     what W5 W6 W7 do in the process whose start they measure
replay     W8 and the check of one very large run
limits     what the machine itself can do, measured in the same run
measure    clocks, CPU, memory, quantiles
table      the printed table
========== ===================================================================
"""
