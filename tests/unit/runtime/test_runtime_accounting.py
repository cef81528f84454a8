"""What containers use, from files as the kernel writes them."""

import os

from comity.runtime.containers import accounting


def write(directory, **files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)
    return directory


def test_version_1_tells_memory_processors_throttling_and_processes(tmp_path):
    memory = write(
        tmp_path / "memory",
        memory__usage_in_bytes="4096\n",
        memory__stat="cache 1\ntotal_cache 11\ntotal_rss 22\ntotal_mapped_file 3\ntotal_swap 4\n",
    )
    cpu = write(
        tmp_path / "cpu",
        cpu__stat="nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000\n",
        cgroup__procs="1\n2\n",
        tasks="1\n2\n3\n",
    )
    write(cpu / "nested", cgroup__procs="4\n", tasks="4\n")
    cpuacct = write(tmp_path / "cpuacct", cpuacct__stat="user 250\nsystem 50\n")
    ticks = os.sysconf("SC_CLK_TCK")
    found = accounting.usage({"memory": memory, "cpu": cpu, "cpuacct": cpuacct}, None)
    assert found == {
        "mem_total_bytes": 4096,
        "mem_rss_bytes": 22,
        "mem_anon_bytes": 22,
        "mem_file_bytes": 11,
        "mem_cache_bytes": 11,
        "mem_mapped_file_bytes": 3,
        "mem_swap_bytes": 4,
        "cpus_user_time_secs": 250 / ticks,
        "cpus_system_time_secs": 50 / ticks,
        "cpus_nr_periods": 10,
        "cpus_nr_throttled": 4,
        "cpus_throttled_time_secs": 2.5,
        "processes": 3,
        "threads": 4,
    }


def test_version_2_tells_the_same_from_one_directory(tmp_path):
    whole = write(
        tmp_path,
        memory__current="4096\n",
        memory__swap__current="7\n",
        memory__stat="anon 22\nfile 11\nfile_mapped 3\nunevictable 0\n",
        cpu__stat="user_usec 2500000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 4\n"
        "throttled_usec 2500000\n",
        cgroup__procs="1\n2\n",
        cgroup__threads="1\n2\n3\n",
    )
    found = accounting.usage({"": whole}, None)
    assert found["mem_total_bytes"] == 4096
    assert found["mem_swap_bytes"] == 7
    assert (found["mem_anon_bytes"], found["mem_cache_bytes"]) == (22, 11)
    assert (found["cpus_user_time_secs"], found["cpus_system_time_secs"]) == (2.5, 0.5)
    assert (found["cpus_nr_throttled"], found["cpus_throttled_time_secs"]) == (4, 2.5)
    assert (found["processes"], found["threads"]) == (2, 3)


def test_without_a_quota_nothing_is_said_of_throttling(tmp_path):
    cpu = write(tmp_path, cpu__stat="nr_periods 0\nnr_throttled 0\nthrottled_time 0\n")
    assert accounting.usage({"cpu": cpu}, None).keys() == {"processes", "threads"}


def test_what_is_not_there_is_left_out(tmp_path):
    assert accounting.usage({}, None) == {}
    assert accounting.usage({"memory": tmp_path / "gone"}, None) == {}


def test_on_the_hosts_network_nothing_is_counted():
    assert accounting.usage({}, os.getpid()) == {}
