/*
 * Drives a fuzz target without libFuzzer, so that any compiler does and every test run can: each file of the
 * corpus as it is, then changed in ways drawn from a seed that is told and may be given.
 *
 *   drive INPUTS SEED DIRECTORY
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>

enum { FILES_MAX = 4096, CHANGES_MAX = 8 };

static struct input {
	size_t len;
	uint8_t bytes[FUZZ_MAX];
} *corpus;
static size_t count;

static uint64_t state;
static size_t draw(size_t below) /* splitmix64 */
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t)((z ^ (z >> 31)) % below);
}

static void read_corpus(const char *path)
{
	DIR *dir = opendir(path);

	assert(dir != NULL);
	corpus = calloc(FILES_MAX, sizeof *corpus);
	assert(corpus != NULL);
	for (struct dirent *d; count < FILES_MAX && (d = readdir(dir)) != NULL;) {
		char name[1000];
		int n = snprintf(name, sizeof name, "%s/%s", path, d->d_name);
		FILE *f = d->d_type == DT_REG && n > 0 && (size_t)n < sizeof name ? fopen(name, "rb") : NULL;
		if (f == NULL)
			continue;
		corpus[count].len = fread(corpus[count].bytes, 1, FUZZ_MAX, f);
		(void)fclose(f);
		count++;
	}
	closedir(dir);
	assert(count > 0);
}

static void cut(struct input *in)
{
	size_t at = draw(in->len), n = 1 + draw(in->len - at);

	memmove(in->bytes + at, in->bytes + at + n, in->len - at - n);
	in->len -= n;
}

/* A piece of another one, or of itself, put in. */
static void splice(struct input *in)
{
	struct input other = corpus[draw(count)];
	size_t at = draw(in->len + 1), from = draw(other.len + 1), n = draw(other.len - from + 1);

	if (n > FUZZ_MAX - in->len)
		n = FUZZ_MAX - in->len;
	memmove(in->bytes + at + n, in->bytes + at, in->len - at);
	memcpy(in->bytes + at, other.bytes + from, n);
	in->len += n;
}

static void change(struct input *in)
{
	static const uint8_t odd[] = { 0, 1, 0x1b, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0xc2, 0xfe, 0xff, '{', '"' };

	switch (in->len == 0 ? 3 : draw(5)) {
	case 0:
		in->bytes[draw(in->len)] ^= (uint8_t)(1 << draw(8));
		break;
	case 1:
		in->bytes[draw(in->len)] = odd[draw(sizeof odd)];
		break;
	case 2:
		cut(in);
		break;
	default:
		splice(in);
		break;
	}
}

int main(int argc, char **argv)
{
	assert(argc == 4);
	size_t inputs = strtoul(argv[1], NULL, 10);
	state = strtoull(argv[2], NULL, 10);
	read_corpus(argv[3]);
	for (size_t i = 0; i < count; i++)
		(void)LLVMFuzzerTestOneInput(corpus[i].bytes, corpus[i].len);
	for (size_t i = 0; i < inputs; i++) {
		struct input in = corpus[draw(count)];
		for (size_t n = 1 + draw(CHANGES_MAX); n > 0; n--)
			change(&in);
		/* of its own size, so that a byte read behind it is seen */
		uint8_t *exact = malloc(in.len + (in.len == 0));
		assert(exact != NULL);
		memcpy(exact, in.bytes, in.len);
		(void)LLVMFuzzerTestOneInput(exact, in.len);
		free(exact);
	}
	printf("%zu files, %zu inputs, seed %s\n", count, inputs, argv[2]);
	free(corpus);
	return 0;
}
