/* prova-devnet - a Coordinator and an L2 node in one process.  See prova-devnet(1). */
#include "cmd/devnet/devnet.h"

int
main(int argc, char **argv)
{
	struct options options;

	options_read(&options, argc, argv);
	int status = devnet_run(&options);
	options_free(&options);
	return status;
}
