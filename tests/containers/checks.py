"""What holds of the installed package, in the order in which an administrator would meet it.

Each function is a check: its name is printed, and its first line says what is wrong when it fails. They build on each
other: a machine goes through all of them.
"""

import ctypes
import json
import os
import pathlib
import ssl
import time

import freeze
SETTINGS = '/etc/wschat/settings.json'
LINEAGE = '/etc/letsencrypt/live/chat.example.org'
COPIES = '/etc/wschat/letsencrypt/chat.example.org'
DROP_IN = '/etc/systemd/system/wschat.service.d/test.conf'
CLIENTS = '200'
SCHED_BATCH = 3


def eventually(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f'not within {seconds} s: {what}'
        time.sleep(0.05)


def is_ready(machine):
    return machine.show('ActiveState') == 'active' and machine.show('SubState') == 'running'


def dpkg_installs_it_enabled_and_ready(machine):
    machine.run('dpkg', '--install', '/package/wschat.deb')
    # With Type=notify, it is active only when the program has said so.
    assert is_ready(machine), machine.try_run('systemctl', 'status', 'wschat.service').stdout
    assert machine.show('Type') == 'notify'
    for unit in ('wschat.service', 'wschat.socket'):
        assert machine.run('systemctl', 'is-enabled', unit) == 'enabled'
    assert machine.path('/var/lib/wschat/wschat.db').stat().st_mode & 0o777 == 0o600
    with machine.clients('hold', '2') as clients:
        assert clients.go_on() == {'heard': 2, 'lost': []}


def systemd_shows_what_it_does(machine):
    with machine.clients('hold', '3'):
        eventually('STATUS= has the connections', lambda: '3 ' in machine.show('StatusText'))


def nothing_in_its_journal_is_a_warning(machine):
    said = machine.journal('--priority=warning').split('\n')
    # systemd before 254 does not know how a pause grows.
    strange = [line for line in said if line not in ('', '-- No entries --') and "Unknown key" not in line]
    assert strange == [], strange


def the_sandbox_is_closed(machine):
    result = machine.try_run('systemd-analyze', 'security', '--no-pager', '--threshold=15', 'wschat.service')
    open_still = [line for line in result.stdout.split('\n') if line.startswith(('✗', '→'))]
    assert result.returncode == 0, '\n'.join(open_still)


def all_threads_are_scheduled_as_batch(machine):
    for thread in pathlib.Path(f'/proc/{machine.pid()}/task').iterdir():
        assert os.sched_getscheduler(int(thread.name)) == SCHED_BATCH, (thread / 'comm').read_text()


def the_admin_socket_answers_root_alone(machine):
    assert machine.path('/run/wschat/admin.sock').stat().st_mode & 0o777 == 0o600
    assert json.loads(machine.run('wschat', 'status', '--json'))['connections'] == 0


def a_restart_refuses_nobody_while_a_client_never_closes(machine):
    with machine.clients('knock') as clients:
        for _ in range(3):
            machine.run('systemctl', 'restart', 'wschat.service')
        result = clients.go_on()
    assert result['failed'] == 0 and result['connects'] > 0, result


def an_upgrade_refuses_nobody(machine):
    before = machine.show('MainPID')
    with machine.clients('knock') as clients:
        machine.run('dpkg', '--install', '/package/wschat.deb')
        result = clients.go_on()
    assert machine.show('MainPID') != before, 'the old program still runs'
    assert result['failed'] == 0 and result['connects'] > 0, result


def issue_certificate(machine, days):
    """Puts a certificate where certbot would: in a directory that only root can enter."""
    live = machine.path(LINEAGE)
    live.mkdir(parents=True, exist_ok=True)
    for directory in (live.parent, live):
        directory.chmod(0o700)
    machine.run(
        'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj',
        '/CN=chat.example.org', '-addext', 'subjectAltName=DNS:chat.example.org,IP:127.0.0.1', '-days', str(days),
        '-keyout', f'{LINEAGE}/privkey.pem', '-out', f'{LINEAGE}/fullchain.pem',
    )
    machine.run(
        'env', f'RENEWED_LINEAGE={LINEAGE}', '/etc/letsencrypt/renewal-hooks/deploy/wschat',
    )
    return ssl.PEM_cert_to_DER_cert((live / 'fullchain.pem').read_text())


def served_certificate(machine):
    command = ['openssl', 's_client', '-connect', '127.0.0.1:8776', '-servername', 'chat.example.org']
    return ssl.PEM_cert_to_DER_cert(
        '-----BEGIN' + machine.run(*command).split('-----BEGIN', 1)[1].split('-----END', 1)[0]
        + '-----END CERTIFICATE-----\n'
    )


def change_settings(machine, **changes):
    settings = json.loads(machine.path(SETTINGS).read_text())
    settings.update(changes)
    machine.write(SETTINGS, json.dumps(settings))


def a_certificate_of_certbot_works_after_the_hook(machine):
    change_settings(
        machine, domain='chat.example.org', certificate=f'{COPIES}/fullchain.pem', privateKey=f'{COPIES}/privkey.pem'
    )
    # The service still runs without TLS, and takes it with the reload of the hook.
    issued = issue_certificate(machine, 90)
    assert machine.path(f'{COPIES}/privkey.pem').stat().st_mode & 0o777 == 0o640
    machine.run('systemctl', 'restart', 'wschat.service')
    assert served_certificate(machine) == issued


def a_reload_swaps_the_certificate_under_200_clients(machine):
    before = machine.show('MainPID')
    with machine.clients('hold', CLIENTS, '--tls') as clients:
        issued = issue_certificate(machine, 60)
        machine.run('systemctl', 'reload', 'wschat.service')
        assert served_certificate(machine) == issued, 'the old certificate is served'
        assert clients.go_on() == {'heard': int(CLIENTS), 'lost': []}
    assert machine.show('MainPID') == before


def the_sandbox_leaves_every_place_to_listen_and_to_write(machine):
    good = machine.path(SETTINGS).read_text()
    log = '/var/log/wschat/wschat.log'
    places = ['systemd', '0.0.0.0:443', '[::1]:80', 'unix:/run/wschat/ws.sock']
    change_settings(machine, listen=places, log={'file': log})
    machine.run('systemctl', 'restart', 'wschat.service')
    status = json.loads(machine.run('wschat', 'status', '--json'))
    assert len(status['listening']) == len(places), status
    for port in ('8776', '443'):
        machine.run('openssl', 's_client', '-connect', f'127.0.0.1:{port}')
    assert machine.path('/run/wschat/ws.sock').is_socket()
    machine.run('wschat', 'backup', '/root/backup.db')
    assert machine.path('/root/backup.db').stat().st_mode & 0o777 == 0o600
    # As logrotate does it.
    machine.path(log).rename(machine.path(f'{log}.1'))
    rotation = machine.path('/etc/logrotate.d/wschat').read_text()
    machine.run('sh', '-c', rotation.split('postrotate')[1].split('endscript')[0])
    eventually('the new log is there', machine.path(log).exists)
    assert 'listening' in machine.path(f'{log}.1').read_text()
    machine.write(SETTINGS, good)
    machine.run('systemctl', 'restart', 'wschat.service')


def a_reload_asks_where_the_settings_say(machine):
    good = machine.path(SETTINGS).read_text()
    change_settings(machine, admin={'listen': '127.0.0.1:8777'})
    machine.run('systemctl', 'restart', 'wschat.service')
    machine.run('systemctl', 'reload', 'wschat.service')
    machine.write(SETTINGS, good)
    machine.run('systemctl', 'restart', 'wschat.service')
    machine.run('systemctl', 'reload', 'wschat.service')


def bad_settings_fail_the_reload_and_change_nothing(machine):
    good = machine.path(SETTINGS).read_text()
    before = machine.show('MainPID')
    with machine.clients('hold', '5', '--tls') as clients:
        machine.write(SETTINGS, good.replace('"rooms"', '"roomz"'))
        assert machine.try_run('systemctl', 'reload', 'wschat.service').returncode != 0
        assert clients.go_on() == {'heard': 5, 'lost': []}
    assert machine.show('MainPID') == before and is_ready(machine)
    assert 'roomz' in machine.journal('--priority=warning'), 'the journal does not say why'
    machine.write(SETTINGS, good)
    machine.run('systemctl', 'reload', 'wschat.service')
    change_settings(machine, certificate=None, privateKey=None)
    machine.run('systemctl', 'restart', 'wschat.service')


def bad_settings_are_not_tried_again(machine):
    good = machine.path(SETTINGS).read_text()
    machine.write(SETTINGS, '{"port": "eighty"}')
    machine.try_run('systemctl', 'restart', 'wschat.service')
    eventually('it has failed for good', lambda: machine.show('ActiveState') == 'failed')
    assert machine.show('ExecMainStatus') == '3', machine.journal()
    machine.write(SETTINGS, good)
    machine.run('systemctl', 'restart', 'wschat.service')
    assert machine.show('NRestarts') == '0'


def waiting_clients_do_not_start_it_for_ever(machine):
    good = machine.path(SETTINGS).read_text()
    with machine.clients('knock'):
        machine.write(SETTINGS, '{"port": "eighty"}')
        machine.try_run('systemctl', 'restart', 'wschat.service')
        eventually('the socket gives up', lambda: machine.show('ActiveState', 'wschat.socket') == 'failed')
        machine.write(SETTINGS, good)
        # The limit counts what was in the last two seconds, TriggerLimitIntervalSec=.
        time.sleep(2.5)
        machine.run('systemctl', 'start', 'wschat.service')
        assert is_ready(machine)
        assert machine.show('ActiveState', 'wschat.socket') == 'active'


def with_a_short_watchdog(machine):
    machine.write(DROP_IN, '[Service]\nWatchdogSec=3\n')
    machine.run('systemctl', 'daemon-reload')
    machine.run('systemctl', 'restart', 'wschat.service')


def is_restarted_by_the_watchdog(machine, before):
    eventually('it runs again', lambda: is_ready(machine) and machine.show('MainPID') not in (before, '0'))
    assert 'watchdog' in machine.run('journalctl', '--no-pager', '--unit=wschat.service').lower()
    with machine.clients('hold', '2') as clients:
        assert clients.go_on() == {'heard': 2, 'lost': []}


def the_watchdog_restarts_a_frozen_dispatcher(machine):
    with_a_short_watchdog(machine)
    before = machine.show('MainPID')
    threads = freeze.freeze(machine.pid(), 'dispatcher')
    assert freeze.reap(threads, 30), 'it was not killed'
    is_restarted_by_the_watchdog(machine, before)


def the_watchdog_restarts_a_frozen_program(machine):
    before = machine.show('MainPID')
    machine.kill('STOP')
    is_restarted_by_the_watchdog(machine, before)


def the_watchdog_leaves_a_working_server_alone(machine):
    before = machine.show('MainPID')
    # Three times what it waits for.
    time.sleep(9)
    assert machine.show('MainPID') == before
    machine.path(DROP_IN).unlink()
    machine.run('systemctl', 'daemon-reload')
    machine.run('systemctl', 'restart', 'wschat.service')


def kills_lose_and_invent_nothing(machine):
    with machine.clients('talk') as clients:
        for _ in range(5):
            before = machine.show('MainPID')
            time.sleep(0.3)
            machine.kill('KILL')
            eventually('it runs again', lambda: is_ready(machine) and machine.show('MainPID') not in (before, '0'))
            # The pauses begin anew.
            machine.run('systemctl', 'reset-failed', 'wschat.service')
        result = clients.go_on()
    assert result['wrong'] == [] and result['said'] > 20, result


def the_crash_suite_passes_in_the_sandbox(machine):
    """The suite, and so the servers that it starts and kills, run with all that the unit forbids."""
    unit = machine.path('/usr/lib/systemd/system/wschat.service').read_text()
    machine.write('/etc/systemd/system/wschat-crash.service', unit)
    machine.write(
        '/etc/systemd/system/wschat-crash.service.d/suite.conf',
        '[Service]\nType=oneshot\nExecStart=\n'
        'ExecStart=/package/suite crash::nothing_is_lost_over_kills_and_cuts --exact --nocapture\n'
        'ExecReload=\nRestart=no\nWatchdogSec=0\nProtectHome=no\nStateDirectory=wschat-crash\n'
        'Environment=WSCHAT_CRASH_KILLS=60 WSCHAT_CRASH_CUTS=400\n'
        'RuntimeDirectory=\nLogsDirectory=\n',
    )
    machine.run('systemctl', 'daemon-reload')
    result = machine.try_run('systemctl', 'start', 'wschat-crash.service')
    said = machine.run('journalctl', '--no-pager', '--unit=wschat-crash.service', '--output=cat')
    assert result.returncode == 0 and '1 passed' in said, said


def stopping_the_socket_stops_both_and_starting_the_service_starts_both(machine):
    def states():
        return [machine.show('ActiveState', unit) for unit in ('wschat.socket', 'wschat.service')]

    with machine.clients('hold', '2'):
        machine.run('systemctl', 'stop', 'wschat.socket')
        assert states() == ['inactive', 'inactive'], states()
    machine.run('systemctl', 'start', 'wschat.service')
    assert states() == ['active', 'active'], states()
    before = machine.show('MainPID')
    machine.run('systemctl', 'restart', 'wschat.socket')
    # systemctl waits for the socket alone.
    eventually('it runs again', lambda: is_ready(machine) and machine.show('MainPID') not in (before, '0'))


def a_purge_leaves_what_is_not_ours(machine):
    own = ('/etc/wschat/own.pem', '/var/lib/wschat/backup.db')
    for path in own:
        machine.write(path, 'mine')
    machine.run('dpkg', '--purge', 'wschat')
    assert machine.try_run('systemctl', 'is-active', 'wschat.service', 'wschat.socket').returncode != 0
    # Without what the checks themselves have made or mounted.
    ours = ('/etc/systemd/system/', '/var/lib/wschat-crash', *machine.binds)
    found = machine.run('find', '/', '-xdev', '-name', '*wschat*').split('\n')
    left = {path for path in found if not path.startswith(ours)}
    assert left == {'/etc/wschat', '/var/lib/wschat'}, left
    inside = machine.run('find', '/etc/wschat', '/var/lib/wschat', '-type', 'f').split('\n')
    assert sorted(inside) == sorted(own), inside


ALL = [
    dpkg_installs_it_enabled_and_ready,
    systemd_shows_what_it_does,
    the_admin_socket_answers_root_alone,
    all_threads_are_scheduled_as_batch,
    the_sandbox_is_closed,
    a_restart_refuses_nobody_while_a_client_never_closes,
    an_upgrade_refuses_nobody,
    nothing_in_its_journal_is_a_warning,
    a_certificate_of_certbot_works_after_the_hook,
    a_reload_swaps_the_certificate_under_200_clients,
    the_sandbox_leaves_every_place_to_listen_and_to_write,
    a_reload_asks_where_the_settings_say,
    bad_settings_fail_the_reload_and_change_nothing,
    bad_settings_are_not_tried_again,
    waiting_clients_do_not_start_it_for_ever,
    the_watchdog_restarts_a_frozen_dispatcher,
    the_watchdog_restarts_a_frozen_program,
    the_watchdog_leaves_a_working_server_alone,
    kills_lose_and_invent_nothing,
    the_crash_suite_passes_in_the_sandbox,
    stopping_the_socket_stops_both_and_starting_the_service_starts_both,
    a_purge_leaves_what_is_not_ours,
]
