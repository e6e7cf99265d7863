# A pseudo terminal for the engine: Node has none. The program in it gets no controlling terminal, as with the SDK.
# stdin: frames of a letter, a 32 bit length and so many bytes: d data for the terminal, r columns and rows ("80 24").
# stdout: what the terminal shows.
use strict;
use Fcntl;
use POSIX;
my ($cols, $rows, @command) = @ARGV;
sysopen(my $master, '/dev/ptmx', O_RDWR | O_NOCTTY) or die "ptmx: $!";
my $zero = pack('i', 0);
ioctl($master, 0x40045431, $zero) or die "unlock: $!";            # TIOCSPTLCK
my $number = pack('i', 0);
ioctl($master, 0x80045430, $number) or die "number: $!";          # TIOCGPTN
sysopen(my $slave, '/dev/pts/' . unpack('i', $number), O_RDWR | O_NOCTTY) or die "slave: $!";
sub size { my $size = pack('S4', $_[1], $_[0], 0, 0); ioctl($slave, 0x5414, $size) or warn "size: $!" }    # TIOCSWINSZ
size($cols, $rows);
my $child = fork();
if ($child == 0) {
	POSIX::setsid();
	POSIX::dup2(fileno($slave), $_) for 0 .. 2;
	close $master;
	$ENV{TERM} = 'xterm-256color';
	exec @command;
	POSIX::_exit(127);
}
my $reader = fork();
if ($reader == 0) {
	close STDIN;
	while (sysread($master, my $bytes, 65536)) { syswrite(STDOUT, $bytes) }
	POSIX::_exit(0);
}
close STDOUT;
my $left = '';
while (sysread(STDIN, my $bytes, 65536)) {
	$left .= $bytes;
	while (length $left >= 5) {
		my ($kind, $length) = unpack('a N', $left);
		last if length $left < 5 + $length;
		my $payload = substr($left, 5, $length);
		$left = substr($left, 5 + $length);
		if ($kind eq 'r') { size(split ' ', $payload) }
		else { syswrite($master, $payload) }
	}
}
kill 'HUP', $child;
