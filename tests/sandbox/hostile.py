"""Programs that try to get out of the box, or to take more than they may.

Each of the first kind prints ESCAPED when it got what it wanted. They run under the system's Python, inside; nothing of them is imported by a test.
"""

_CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result >= 0:
        print("ESCAPED", number)
    return result
"""

_READ = """
import os
def read(path):
    try:
        with open(path, "rb") as file:
            data = file.read(2000)
    except OSError:
        return
    print("ESCAPED", path, data[:60])
"""

ESCAPES = {
    "host files": _READ
    + "for p in ('/etc/passwd', '/etc/shadow', '/root/.bashrc', '/home', '/work', '/var/log/dpkg.log', '/oldroot', '/proc/1/root/etc/passwd', '/proc/1/cwd/etc/passwd', '/sys/kernel/notes', '/dev/kvm', '/dev/mem', '/dev/sda', '/dev/vda', '/proc/kcore'): read(p)",
    "host environment": "import os\nif set(os.environ) - {'PATH', 'HOME', 'LANG', 'PWD', 'LC_CTYPE', 'PYTHONDONTWRITEBYTECODE', 'OPENBLAS_NUM_THREADS', 'SHLVL', '_'}: print('ESCAPED', os.environ)\nfor p in ('/proc/1/environ',):\n  try:\n    if b'HOST_SECRET' in open(p, 'rb').read(): print('ESCAPED', p)\n  except OSError: pass",
    "descriptors": "import os\nleft = [n for n in os.listdir('/proc/self/fd') if int(n) > 2]\nfor n in left:\n  try: os.fstat(int(n))\n  except OSError: continue\n  print('ESCAPED', n, os.readlink(f'/proc/self/fd/{n}'))",
    "the host's command line": "data = open('/proc/1/cmdline', 'rb').read()\nif b'ro-bind' in data or b'/work' in data or b'/root' in data: print('ESCAPED', data)",
    "other processes": "import os\nif [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 40]: print('ESCAPED', os.listdir('/proc'))",
    "who it is": "import os\nif os.getuid() != 65534 or os.geteuid() != 65534 or os.getgroups() not in ([], [65534]): print('ESCAPED', os.getuid(), os.getgroups())",
    "become root": "import os\nfor f in (os.setuid, os.seteuid, os.setgid):\n  try: f(0); print('ESCAPED', f)\n  except OSError: pass",
    "the kernel's settings": "import os\nfor p in ('/proc/sys/kernel/core_pattern', '/proc/sys/vm/overcommit_memory', '/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/proc/self/uid_map'):\n  try:\n    old = open(p, 'rb').read()\n    fd = os.open(p, os.O_WRONLY); os.write(fd, old or b'0 0 1'); print('ESCAPED', p)\n  except OSError: pass",
    "write to the system": "for p in ('/x', '/usr/x', '/usr/bin/x', '/dev/x', '/proc/x', '/lib/x'):\n  try: open(p, 'w').write('x'); print('ESCAPED', p)\n  except OSError: pass",
    "change the input": "import os\ntry: open('/box/in/data', 'w'); print('ESCAPED')\nexcept OSError: pass\ntry: os.remove('/box/in/data'); print('ESCAPED')\nexcept OSError: pass",
    "new namespaces": _CALL
    + "[call(272, flag) for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000, 0x4000000, 0x2000000, 0x80)]",
    "clone into a namespace": _CALL
    + "[call(56, flag | 17, 0, 0, 0, 0) for flag in (0x10000000, 0x20000, 0x40000000)]",
    "clone3": _CALL + "import ctypes as c\narea = (c.c_uint64 * 11)(0x10000000)\ncall(435, area, 88)",
    "enter a namespace": _CALL + "fd = os.open('/proc/1/ns/net', os.O_RDONLY)\ncall(308, fd, 0)",
    "mount": _CALL
    + "call(165, b'proc', b'/tmp', b'proc', 0, None); call(165, b'none', b'/tmp', b'tmpfs', 0, None); call(165, None, b'/', None, 32, None)",
    "new mount calls": _CALL
    + "call(430, b'tmpfs', 0); call(428, -100, b'/', 1); call(442, -100, b'/', 0, None, 0)",
    "unmount": _CALL + "call(166, b'/proc/sys', 2); call(166, b'/', 2); call(166, b'/usr', 2)",
    "chroot and pivot_root": _CALL + "call(161, b'/tmp'); call(155, b'/tmp', b'/tmp')",
    "ptrace": _CALL + "call(101, 0, 0, 0, 0); call(101, 16, 1, 0, 0)",
    "another's memory": _CALL
    + "b = ctypes.create_string_buffer(8)\ncall(310, 1, b, 1, b, 1, 0); call(311, 1, b, 1, b, 1, 0)",
    "bpf, io_uring, userfaultfd, perf": _CALL
    + "b = ctypes.create_string_buffer(256)\ncall(321, 0, b, 72); call(425, 8, b); call(323, 0); call(298, b, 0, -1, -1, 0)",
    "keys": _CALL
    + "call(248, b'user', b'a', b'b', 1, -3); call(250, 0, -3, 1); call(249, b'user', b'a', None, -3)",
    "modules, kexec, reboot, swap": _CALL
    + "call(175, b'', 0, b''); call(246, 0, 0, None, 0); call(169, 0xfee1dead, 672274793, 0, None); call(167, b'/box', 0)",
    "handles of files": _CALL
    + "b = ctypes.create_string_buffer(256)\ncall(304, -100, b, 0); call(303, -100, b'/usr', b, b, 0)",
    "devices": "import os, stat\nfor path, device in (('/tmp/m', (1, 1)), ('/tmp/k', (1, 11))):\n  try: os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(*device)); print('ESCAPED', path)\n  except OSError: pass",
    "type into a terminal": "import fcntl, os\nfor request in (0x5412, 0x541c):\n  for fd in (0, 1, 2):\n    try: fcntl.ioctl(fd, request, b'x'); print('ESCAPED')\n    except OSError: pass",
    "odd sockets": "import socket\nfor family in (16, 17, 38, 40, 44, 31):\n  try: socket.socket(family, socket.SOCK_DGRAM if family != 17 else socket.SOCK_RAW); print('ESCAPED', family)\n  except OSError: pass",
    "raw sockets": "import socket\nfor family in (2, 10):\n  try: socket.socket(family, socket.SOCK_RAW, 1); print('ESCAPED', family)\n  except OSError: pass",
    "the network": "import socket\nfor family, address in ((2, ('127.0.0.1', PORT)), (10, ('::1', PORT)), (2, ('1.1.1.1', 53)), (2, ('169.254.169.254', 80))):\n  with socket.socket(family) as s:\n    s.settimeout(0.3)\n    try: s.connect(address); print('ESCAPED', address)\n    except OSError: pass\n  with socket.socket(family, socket.SOCK_DGRAM) as s:\n    try: s.sendto(b'x', address); print('ESCAPED' if address[0] not in ('127.0.0.1', '::1') else '', address)\n    except OSError: pass",
    "the host's abstract sockets": "import socket\nwith socket.socket(socket.AF_UNIX) as s:\n  try: s.connect('\\0motet-canary-PORT'); print('ESCAPED')\n  except OSError: pass",
    "names": "import socket\ntry: socket.gethostbyname('example.com'); print('ESCAPED')\nexcept OSError: pass",
    "more memory than the places have": "import os\nfor folder, limit in (('/dev/shm', 5 << 20), ('/tmp', 33 << 20), ('/box', 65 << 20)):\n  taken = 0\n  try:\n    for n in range(12):\n      with open(f'{folder}/{n}', 'wb') as f:\n        for _ in range(15): taken += f.write(bytes(1 << 20)); f.flush()\n  except OSError: pass\n  if taken > limit: print('ESCAPED', folder, taken)",
    "raise its limits": "import resource\nfor what in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):\n  soft, hard = resource.getrlimit(what)\n  if hard == resource.RLIM_INFINITY: print('ESCAPED', what)\n  try: resource.setrlimit(what, (hard, hard + 1)); print('ESCAPED', what)\n  except (OSError, ValueError): pass",
    "set the clock": "import time\ntry: time.clock_settime(time.CLOCK_REALTIME, time.time()); print('ESCAPED')\nexcept OSError: pass",
    "the debugger's way in": "import ctypes\nlibc = ctypes.CDLL(None)\nif libc.prctl(22, 0, 0, 0, 0) == 0: print('ESCAPED')  # seccomp off\nif libc.prctl(39, 0, 0, 0, 0) != 1: print('ESCAPED no_new_privs')",
}
"""By what they want. The numbers of system calls are those of x86_64."""

ABUSES = {
    "an endless loop": "while True: pass",
    "an endless loop that hears no signal": "import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: pass",
    "sleep": "import time\ntime.sleep(1000)",
    "a fork bomb": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    "threads": "import threading, time\nwhile True:\n  try: threading.Thread(target=time.sleep, args=(1000,)).start()\n  except RuntimeError: time.sleep(0.01)",
    "memory": "x = []\nwhile True: x.append(bytearray(10_000_000))",
    "memory in children": "import os\nfor _ in range(20):\n  if os.fork() == 0:\n    x = []\n    while True: x.append(bytearray(10_000_000))\nimport time; time.sleep(1000)",
    "open files": "import os\nx = []\nwhile True: x.append(os.open('/usr/bin/env', os.O_RDONLY))",
    "a huge file": "with open('/tmp/x', 'wb') as f:\n  while True: f.write(bytes(1 << 20))",
    "many files": "n = 0\nwhile True:\n  open(f'/box/{n}', 'w').write('x'); n += 1",
    "output": "while True: print('x' * 10000)",
    "output on the other side": "import sys\nwhile True: sys.stderr.write('x' * 10000)",
    "output without a line": "import os\nwhile True: os.write(1, bytes(65536))",
    "a daemon": "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\nos.close(0); os.close(1); os.close(2)\ntime.sleep(1000)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
    "closed outputs": "import os, time\nos.close(1); os.close(2); time.sleep(1000)",
    "a stopped process": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a regular expression": "import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')",
    "a huge number": "x = 10 ** (10 ** 9)",
}
"""By what they take. Each ends within its limits, whatever it does about it."""
