# shellcheck shell=bash disable=SC2034,SC2015
command_doctor() { :; }
