/* The wire between host and shim: the terminal is handed over, news never block, sizes arrive, an end is seen. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "sandbox/peers.h"
#include "scratch.h"
#include "unit.h"

static struct scratch place;
static int dir, master, slave;
static struct peers shim;

static int setup(void **state)
{
	(void)state;
	scratch_open(&place);
	dir = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 || openpty(&master, &slave, NULL, NULL, NULL) < 0 || peers_open(&shim, dir) < 0;
}

static int teardown(void **state)
{
	(void)state;
	peers_close(&shim, dir);
	close(master);
	close(slave);
	close(dir);
	scratch_close(&place);
	return 0;
}

/* One turn of the shim's loop, when there is anything to do. */
static void turn(void)
{
	struct pollfd p[PEERS_POLLS];

	peers_poll(&shim, p);
	if (poll(p, PEERS_POLLS, 0) > 0)
		peers_step(&shim, p, master);
}

/* A host, and the terminal that it was handed. */
static int come(int *terminal)
{
	int host = ctl_connect(dir);

	assert_true(host >= 0);
	assert_int_equal(ctl_take(host, terminal), 0); /* the shim has not looked yet */
	turn();
	assert_int_equal(ctl_take(host, terminal), 1);
	assert_true(*terminal >= 0);
	assert_true((fcntl(*terminal, F_GETFD) & FD_CLOEXEC) != 0);
	return host;
}

static void types_into_the_terminal(void **state)
{
	int terminal, host = come(&terminal);
	char got[16] = "";

	(void)state;
	assert_int_equal(write(terminal, "hello\n", 6), 6);
	assert_int_equal(read(slave, got, sizeof got), 6);
	assert_string_equal(got, "hello\n");
	close(terminal);
	close(host);
}

static void a_size_arrives_even_if_it_was_sent_before_the_shim_looked(void **state)
{
	int terminal, host = ctl_connect(dir);
	struct winsize size;

	(void)state;
	assert_int_equal(ctl_send_size(host, 123, 45), 0);
	turn();
	turn();
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_col, 123);
	assert_int_equal(size.ws_row, 45);
	assert_int_equal(ctl_take(host, &terminal), 1);
	close(terminal);
	close(host);
}

static void news_for_one_who_does_not_listen(void **state)
{
	int terminal, host = come(&terminal), told = 0;

	(void)state;
	for (int i = 0; i < 10000; i++)
		peers_tell(&shim);
	close(terminal);
	while (ctl_take(host, &terminal) == 1)
		told++;
	assert_in_range(told, 1, 9999); /* some found no room: those that did say it as well */
	peers_tell(&shim);
	assert_int_equal(ctl_take(host, &terminal), 1);
	assert_int_equal(terminal, -1);
	close(host);
}

static void hosts_come_and_go(void **state)
{
	int terminal;

	(void)state;
	for (int i = 0; i < 5 * CTL_PEERS; i++) {
		int host = come(&terminal);
		close(terminal);
		close(host);
		turn();
	}
	for (int i = 0; i < CTL_PEERS; i++)
		assert_int_equal(shim.fds[i], -1);
}

static void nonsense_ends_a_connection(void **state)
{
	int terminal, host = come(&terminal);

	(void)state;
	close(terminal);
	assert_int_equal(send(host, "what", 4, MSG_NOSIGNAL), 4);
	turn();
	assert_int_equal(ctl_take(host, &terminal), -1);
	close(host);
}

static void without_a_shim_there_is_nobody(void **state)
{
	(void)state;
	peers_close(&shim, dir);
	assert_int_equal(ctl_connect(dir), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(peers_open(&shim, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(types_into_the_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(a_size_arrives_even_if_it_was_sent_before_the_shim_looked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(news_for_one_who_does_not_listen, setup, teardown),
		cmocka_unit_test_setup_teardown(hosts_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_ends_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_shim_there_is_nobody, setup, teardown),
	};

	return cmocka_run_group_tests_name("sandbox peers", tests, NULL, NULL) != 0;
}
