# Shelley: known by name. What is missing is said on the task; nothing is pretended.
# shellcheck shell=bash

agent_available() {
	not_runnable_yet 'Shelley' shelley
}
