// Package localca is the certificate authority of `--tls local`: a root certificate
// made once in the data directory, and a server certificate signed by it that is
// renewed before it ends, without restart.
//
// The root may sign only for the names and addresses of this server (name
// constraints), so that a stolen key is of little use elsewhere. Files: ca.crt,
// ca.key, server.crt, server.key under the directory given; keys are 0600. Only this
// package writes there. It imports nothing of ours and no HTTP.
package localca
