"""A booted Debian in a container: systemd-nspawn on a tree that debootstrap has made.

A machine starts from the tree anew each time, and writes to memory only. It has a network of its own, with nothing but
the loopback device.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TREES = pathlib.Path(os.environ.get('WSCHAT_TREES', '/var/cache/wschat-containers'))
TOOLS = ('debootstrap', 'systemd-nspawn', 'nsenter', 'dpkg-deb')
PACKAGES = 'systemd,systemd-sysv,dbus,init-system-helpers,openssl,util-linux,ca-certificates'
BOOT_SECONDS = 60


def missing():
    """Why machines cannot be booted here, or None."""
    if os.geteuid() != 0:
        return 'it needs root'
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    if tools:
        return f'it needs {", ".join(tools)}: apt-get install debootstrap systemd-container'
    # A container such as Docker's makes them, too, but lets nobody mount inside.
    if subprocess.run(['unshare', '--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], capture_output=True).returncode:
        return 'it may not mount: it needs a real or a virtual machine, or a privileged container'
    return None


def mirror():
    """The mirror that this machine itself uses, if it is a Debian, since it can be reached from here."""
    targets = subprocess.run(
        ['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Origin: Debian', 'Label: Debian'],
        capture_output=True, text=True, check=False,
    ).stdout.split()
    return targets[0] if targets else 'http://deb.debian.org/debian'


def tree(release, *more):
    """The tree of a release with more packages; makes it if it is not there yet, which takes a minute."""
    path = TREES / '-'.join((release, *more))
    if not path.exists():
        TREES.mkdir(parents=True, exist_ok=True)
        half = TREES / f'.{path.name}.{os.getpid()}'
        command = ['debootstrap', '--variant=minbase', f'--include={",".join((PACKAGES, *more))}', release, str(half), mirror()]
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if made.returncode:
            shutil.rmtree(half, ignore_errors=True)
            raise SystemExit(f'{made.stdout}\ndebootstrap cannot make {path.name}')
        half.rename(path)
    return path


class Machine:
    """A booted container; a context manager, which ends it."""

    def __init__(self, release, *binds, name='', more=()):
        self.release = release
        self.binds = [bind.rsplit(':', 1)[-1] for bind in binds]
        self.console = tempfile.TemporaryFile()
        command = [
            'systemd-nspawn', '--quiet', f'--directory={tree(release, *more)}', '--volatile=overlay', '--register=no',
            f'--machine=wschat-{release}{name}-{os.getpid()}', '--private-network', '--link-journal=no', '--console=pipe',
            *(f'--bind-ro={path}' for path in binds), '--boot',
        ]
        if not os.path.exists('/run/systemd/system'):
            # There is no systemd outside that could give it a control group.
            command.insert(1, '--keep-unit')
        environment = {**os.environ, 'SYSTEMD_NSPAWN_UNIFIED_HIERARCHY': '1'}
        self.nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console, env=environment
        )
        try:
            self.wait_for_boot()
        except BaseException:
            self.end()
            raise

    def wait_for_boot(self):
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline and self.nspawn.poll() is None:
            children = pathlib.Path(f'/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children')
            self.leader = next(iter(children.read_text().split()), None)
            if self.leader and self.try_run('systemctl', 'is-system-running').stdout.strip() in ('running', 'degraded'):
                return
            time.sleep(0.2)
        self.console.seek(0)
        raise SystemExit(f'{self.console.read().decode(errors="replace")}\n{self.release} does not boot here')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.nspawn.poll() is not None:
            return
        self.nspawn.terminate()
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()

    def inside(self, *command):
        return ['nsenter', '-t', self.leader, '-m', '-u', '-i', '-n', '-p', '-r', '-w', *command]

    def try_run(self, *command, timeout=120):
        """Runs a command inside, whatever its status."""
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}
        return subprocess.run(
            self.inside(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout, env=environment, check=False,
        )

    def run(self, *command, timeout=120):
        """Runs a command inside that must succeed; what it printed."""
        result = self.try_run(*command, timeout=timeout)
        assert result.returncode == 0, f'{" ".join(command)}: status {result.returncode}: {result.stdout}'
        return result.stdout.strip()

    def path(self, path):
        """A path inside, as it is seen from outside."""
        return pathlib.Path(f'/proc/{self.leader}/root{path}')

    def write(self, path, text):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def show(self, name, unit='wschat.service'):
        return self.run('systemctl', 'show', '--property', name, '--value', unit)

    def journal(self, *arguments):
        return self.run('journalctl', '--no-pager', '--unit=wschat.service', '--output=cat', *arguments)

    def pid(self):
        """The main process, by its id outside."""
        inner = self.show('MainPID')
        for status in pathlib.Path('/proc').glob('[0-9]*/status'):
            try:
                ids = next(line for line in status.read_text().splitlines() if line.startswith('NSpid:')).split()
                if ids[-1] == inner and len(ids) > 2 and os.readlink(status.parent / 'ns/pid') == self.namespace():
                    return int(status.parent.name)
            except (OSError, StopIteration):
                continue
        raise AssertionError(f'there is no process {inner}')

    def namespace(self):
        return os.readlink(f'/proc/{self.leader}/ns/pid')

    def kill(self, name):
        self.run('systemctl', 'kill', '--kill-whom=main', f'--signal={name}', 'wschat.service')

    def clients(self, *arguments):
        return Clients(self, arguments)


class Clients:
    """A run of ws.py in the machine's network; a context manager, which ends it."""

    def __init__(self, machine, arguments):
        command = ['nsenter', '-t', machine.leader, '-n', 'python3', str(HERE / 'ws.py'), *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        if self.process.stdout.readline().strip() != 'ready':
            raise AssertionError(f'the clients are not ready: {self.process.communicate()[1]}')
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def go_on(self):
        """Tells them to go on; the JSON that they print at the end."""
        out, errors = self.process.communicate('\n', timeout=120)
        assert self.process.returncode == 0, errors
        return json.loads(out.splitlines()[-1])
