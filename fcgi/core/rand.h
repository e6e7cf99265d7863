/* Random bytes of the kernel (getrandom(2)); ends the process when there are none. */
#ifndef CHOMP_CORE_RAND_H
#define CHOMP_CORE_RAND_H

#include <stddef.h>

void rand_bytes(void *buf, size_t len);
void rand_hex(char *out, size_t len); /* len random bytes as 2*len hex digits and a NUL */

#endif
