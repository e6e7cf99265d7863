// From inside a box: every way out is tried, and each is refused or contained while the host answers on.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { prelude, startCallbackServer } from '../lib/callback-server.mjs';
import { request } from '../lib/http.mjs';
import { startLocalHost } from '../lib/local-host.mjs';
import { tempDir } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const MiB = 1024 * 1024;
const LIMITS = 'processes=100,memory=256M,file=16M,tmp=8M';

describe('a way out of the box', () => {
	let host;
	let box;
	let canary;
	let door; // a listener on every address of this machine, as the dashboard could be one
	let knocks = 0;

	const call = (method, route, body) =>
		request(host.url, {
			method,
			path: route,
			body: body && JSON.stringify(body),
			headers: { Authorization: `Bearer ${host.secret}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
		});
	const status = async (id) => (await call('GET', `/status/${id}`)).json();
	const shown = async (id) => (await call('GET', `/logs/${id}`)).text;
	async function start(t, script, more = {}) {
		const body = {
			dispatchId: randomBytes(16).toString('hex'), taskId: '7', sessionId: 's1', history: [], agent: 'shell', model: 'bash',
			prompt: prelude + script, callback: { url: box.url, token: `t-${randomBytes(24).toString('hex')}` }, timeoutSeconds: 300, ...more,
		};
		const said = await call('POST', '/dispatch', body);
		assert.equal(said.status, 200, said.text);
		const { sandboxId } = said.json();
		t.after(() => call('POST', `/kill/${sandboxId}`));
		return sandboxId;
	}
	const ended = (id) => waitFor('the box has ended', async () => { const s = await status(id); return !s.alive && s; }, { context: () => shown(id) });
	// Each line of the script's report is "name: what came of it"; what it could do begins with OPEN.
	async function report(t, name, script, more) {
		const id = await start(t, `exec 3>/tmp/report\n${script}\nexec 3>&-\nput ${name} </tmp/report`, more);
		const text = (await box.put(name, { context: () => shown(id) })).toString();
		await ended(id);
		return text.trim().split('\n');
	}
	const answers = async () => {
		const from = performance.now();
		assert.equal((await request(host.url, { path: '/health', timeoutMs: 5000 })).status, 200);
		return performance.now() - from;
	};

	before(async () => {
		host = await startLocalHost({ callback: 'socket', args: ['--limits', LIMITS] });
		box = await startCallbackServer({ socketPath: host.callbackSocket });
		canary = tempDir('chomp-canary');
		fs.chmodSync(canary, 0o755);
		fs.writeFileSync(path.join(canary, 'file'), 'canary-of-the-disk', { mode: 0o644 });
		door = net.createServer((s) => { knocks++; s.destroy(); });
		await new Promise((resolve) => door.listen(0, '0.0.0.0', resolve));
	});
	after(async () => {
		await box?.close();
		door?.close();
		fs.rmSync(canary, { recursive: true, force: true });
		assert.deepEqual((await host.stop()) || '', '', 'nothing is left running');
	});

	test("by files: nothing of the host's, its secrets, its state or another box is to be seen", async (t) => {
		const other = await start(t, 'echo secret-of-another >/workspace/mine; wait_for other-ends');
		await waitFor('the other box waits', () => box.waits('other-ends').length);
		const lines = await report(t, 'files', `
			for f in ${canary}/file ${host.secretFile} ${host.boxes} ${host.dir} ${host.boxes}/${other}/workspace/mine /etc/shadow /root /home/* /boot /var/lib /var/log /sys/kernel \\
				/proc/kcore /proc/kmsg /proc/1/root/${canary}/file /proc/self/root/../../${canary}/file /dev/mem /dev/sda /dev/vda /dev/kmsg /dev/fuse /dev/net/tun /run/docker.sock /run/systemd /run/dbus; do
				[ "$f" = /home/agent ] && continue
				if [ -r "$f" ] && { cat "$f" || ls -A "$f" | grep .; } >/dev/null 2>&1; then echo "OPEN $f"; else echo "shut $f"; fi
			done >&3
			grep -rl canary-of-the /proc/*/environ /etc /run /tmp 2>/dev/null | grep -vE "report|/run/chomp/prompt" | sed 's/^/OPEN /' >&3
			for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/overcommit_memory /proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_forward /proc/1/oom_score_adj /proc/self/uid_map /etc/passwd /usr/bin/x /opt/chomp/run-agent; do
				( echo 0 >"$f" ) 2>/dev/null && echo "OPEN write $f" || echo "shut write $f"
			done >&3`);
		box.release('other-ends');
		// one's own process may be made easier to kill
		assert.deepEqual(lines.filter((l) => l.startsWith('OPEN') && !l.includes('oom_score_adj')), []);
		assert.ok(lines.length > 30, lines.join('\n'));
	});

	test('by the network: no loopback, private, link-local or metadata address, nor this machine under its own', async (t) => {
		const { port } = door.address();
		const own = Object.values(os.networkInterfaces()).flat().filter((a) => a.family === 'IPv4').map((a) => a.address);
		const dial = `
			dial() { perl -MSocket -e '
				my ($a, $p, $dev) = @ARGV; socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
				$dev and setsockopt($s, SOL_SOCKET, 25, "$dev\\0");
				$SIG{ALRM} = sub { print "shut $a $dev (silent)\\n"; exit }; alarm 5;
				print connect($s, sockaddr_in($p, inet_aton($a))) ? "OPEN $a:$p $dev\\n" : "shut $a:$p $dev $!\\n"' "$@"; }`;
		const addresses = [...new Set([...own, '127.0.0.1', '127.1.2.3', '0.0.0.0', '10.0.2.2', '10.0.2.4', '10.255.255.1', '172.17.0.1', '192.168.1.1', '169.254.169.254', '100.100.100.200'])];
		for (const network of ['internet', 'none']) {
			const lines = await report(t, `net-${network}`, `${dial}
				for a in ${addresses.join(' ')}; do dial $a ${port} & dial $a ${port} tap0 & dial $a 80 & done >&3; wait
				( cat </dev/tcp/::1/${port} ) 2>/dev/null && echo OPEN ::1 >&3
				perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); while (<>) { /@(\\S+)/ and connect($s, sockaddr_un("\\0$1")) and print "OPEN abstract $1\\n" }' /proc/net/unix >&3
				ip link set lo down 2>/dev/null && echo "OPEN lo down" >&3; ip route add 10.0.0.0/8 dev tap0 2>/dev/null && echo "OPEN route" >&3
				ip route del 127.0.0.0/8 2>/dev/null && echo "OPEN route del" >&3; true`, { network });
			assert.deepEqual(lines.filter((l) => l.startsWith('OPEN')), [], network);
			assert.ok(lines.length >= addresses.length * 3, lines.join('\n'));
		}
		assert.equal(knocks, 0, 'nobody knocked at this machine');
	});

	test('what the owner allows is open under the same address, under every policy, and nothing beside it', async (t) => {
		const told = net.createServer((s) => s.end('told\n'));
		await new Promise((resolve) => told.listen(0, '127.0.0.1', resolve));
		t.after(() => told.close());
		for (const network of ['internet', 'none']) {
			const lines = await report(t, `allow-${network}`, `
				cat </dev/tcp/127.0.0.1/${told.address().port} >&3
				( cat </dev/tcp/127.0.0.1/${door.address().port} ) 2>/dev/null && echo OPEN >&3; true`,
			{ network, allow: [`localhost:${told.address().port}`] });
			assert.deepEqual(lines, ['told'], network);
		}
		assert.equal(knocks, 0);
	});

	test('by the kernel: mounts, namespaces, traces, keys, programs, devices, other sockets', { skip: os.arch() !== 'x64' && 'the numbers of calls are those of amd64' }, async (t) => {
		const lines = await report(t, 'kernel', `
			perl -e '
				sub try { my ($name, $nr, @args) = @_; my $rc = syscall($nr, @args); print $rc == -1 ? "shut $name $!\\n" : "OPEN $name $rc\\n"; }
				my $z = "\\0" x 256; my $pid = $$;
				if (!($kid = fork)) { sleep 60; exit }
				try("mount", 165, "none", "/tmp", "tmpfs", 0, 0); try("umount2", 166, "/tmp", 2); try("pivot_root", 155, "/tmp", "/tmp"); try("chroot", 161, "/tmp");
				try("open_tree", 428, -100, "/", 1); try("fsopen", 430, "tmpfs", 0); try("move_mount", 429, -1, "", -1, "", 0); try("mount_setattr", 442, -100, "/", 0, $z, 32);
				try("unshare user", 272, 0x10000000); try("unshare net", 272, 0x40000000); try("unshare mount", 272, 0x20000); try("clone user", 56, 0x10000011, 0, 0, 0, 0); try("clone3", 435, $z, 88); try("setns", 308, 0, 0);
				try("bpf", 321, 0, $z, 72); try("perf", 298, $z, 0, -1, -1, 0); try("userfaultfd", 323, 1); try("keyctl", 250, 0, -3, 1, 0, 0); try("add_key", 248, "user", "x", "y", 1, -3); try("request_key", 249, "user", "x", 0, -3);
				try("ptrace attach", 101, 16, $kid, 0, 0); try("ptrace seize", 101, 0x4206, $kid, 0, 0); try("ptrace attach with a bit above", 101, 16 + 2 ** 32, $kid, 0, 0);
				try("process_vm_readv", 310, $kid, 0, 0, 0, 0, 0); try("process_vm_writev", 311, $kid, 0, 0, 0, 0, 0); try("pidfd_getfd", 438, 0, 0, 0); try("kcmp", 312, $pid, $kid, 0, 0, 0);
				try("init_module", 175, $z, 0, ""); try("finit_module", 313, 0, "", 0); try("kexec_load", 246, 0, 0, 0, 0); try("reboot", 169, 0xfee1dead, 672274793, 0, 0); try("swapon", 167, "/tmp/x", 0); try("syslog", 103, 3, $z, 10);
				try("settimeofday", 164, $z, 0); try("io_uring_setup", 425, 1, $z); try("iopl", 172, 3); try("open_by_handle_at", 304, 0, $z, 0); try("acct", 163, "/tmp/x"); try("quotactl", 179, 0, 0, 0, 0); try("sethostname", 170, "x", 1);
				try("mknod char", 133, "/tmp/null", 0020666, 0x103); try("mknod block", 133, "/tmp/disk", 0060666, 0xfe00); try("setuid 0", 105, 0); try("setgid 0", 106, 0); try("setresuid 0", 117, 0, 0, 0); try("capset", 126, $z, $z);
				for my $f (17, 38, 40, 15, 21, 30, 31, 3, 44) { try("socket family $f", 41, $f, 2, 0); } try("raw socket", 41, 2, 3, 1); try("netlink netfilter", 41, 16, 3, 12);
				open(my $tty, "+<", "/dev/tty"); my $c = "x"; print defined ioctl($tty, 0x5412, $c) ? "OPEN tiocsti\\n" : "shut tiocsti $!\\n";
				try("signal to init from outside", 62, ${process.pid}, 0); try("signal to the host", 62, ${host.pid}, 0); kill 9, $kid;
			' >&3
			cp /bin/sh /tmp/sh && chmod u+s /tmp/sh && /tmp/sh -p -c 'id -u' | grep -qx 0 && echo "OPEN setuid" >&3
			( sudo -n id || su -c id ) >/dev/null 2>&1 </dev/null && echo "OPEN su" >&3
			ps -eo args 2>/dev/null | grep -E 'chomp-sandbox|chomp-shim|slirp|node' | grep -v grep | sed 's/^/OPEN sees /' >&3; true`);
		// kill of a number that is nobody's here says "No such process"; clone3 with nothing asked for fails in any case
		assert.deepEqual(lines.filter((l) => l.startsWith('OPEN')), []);
		assert.ok(lines.length > 50, lines.join('\n'));
		const wrong = lines.filter((l) => /^shut (mount|unshare|clone user|bpf|keyctl|userfaultfd|ptrace)/.test(l) && !/Operation not permitted/.test(l));
		assert.deepEqual(wrong, [], 'refused by the filter, not by luck');
	});

	test('by a fork bomb: it runs into its limit, the others do not', async (t) => {
		const lines = await report(t, 'forks', `
			perl -e 'my $n = 0; while ($n < 5000) { my $p = fork; last unless defined $p; if (!$p) { sleep 600; exit } push @k, $p; $n++ } print "forked $n\\n"; kill 9, @k;' >&3`);
		const n = Number(/forked (\d+)/.exec(lines.join('\n'))[1]);
		assert.ok(n > 20 && n <= 100, `${n} processes`);
		const id = await start(t, ':(){ :|:& };: 2>/dev/null; sleep 600');
		const second = await report(t, 'beside', 'perl -e \'my $n = 0; for (1 .. 40) { my $p = fork; $p // last; $p or do { sleep 5; exit }; $n++ } print "beside $n\\n"\' >&3');
		assert.deepEqual(second, ['beside 40'], 'another box has its own count');
		await answers();
		const from = performance.now();
		assert.equal((await call('POST', `/kill/${id}`)).status, 200);
		// the mark is 5 s (tests/contract/host/kill.mjs); here it only has to end
		assert.ok(performance.now() - from < 30_000, `killed in ${performance.now() - from} ms`);
		assert.equal((await status(id)).alive, false);
	});

	test('by memory: a process that takes too much ends, /tmp and /dev/shm are full soon', async (t) => {
		const lines = await report(t, 'memory', `
			perl -e 'my $x = "x" x shift; print "small fits\\n"' 50000000 >&3
			perl -e 'my $x = "x" x shift; print "OPEN large fits\\n"' 600000000 >&3 2>/dev/null
			for d in /tmp /dev/shm; do dd if=/dev/zero of=$d/big bs=1M count=12 2>/dev/null && echo "OPEN $d" >&3; rm -f $d/big; done
			( dd if=/dev/zero of=/workspace/big bs=1M count=32 2>/dev/null ) && echo "OPEN file" >&3; stat -c 'file %s' /workspace/big >&3`);
		assert.deepEqual(lines, ['small fits', `file ${16 * MiB}`]);
		await answers();
	});

	test('by output without end: the host answers on, what is kept is bounded, and it is ended in time', async (t) => {
		const id = await start(t, 'yes "a line that is as long as lines of output often are, and then some more of it"');
		await waitFor('much was shown', async () => Number((await call('GET', `/logs/${id}?offset=999999999999`)).headers['x-log-end']) > 8 * MiB);
		await answers();
		const from = performance.now();
		assert.equal((await call('POST', `/kill/${id}`)).status, 200);
		assert.ok(performance.now() - from < 30_000);
		assert.ok(fs.statSync(path.join(host.boxes, id, 'log')).size <= 256 * MiB + 65536 + 100);
	});
});
