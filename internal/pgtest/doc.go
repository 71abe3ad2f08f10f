// Package pgtest gives tests a real PostGIS. It owns one private cluster per
// test process, started by the first test that asks, and hands out databases
// cloned from a template to which every migration has been applied once.
//
// Only tests import it. It imports internal/cluster and migrations.
//
// The cluster lives in a directory of its own under the system's temporary
// directory. When the test process ends, however it ends, the kernel shuts
// PostgreSQL down (Pdeathsig) and a small waiting shell removes the directory;
// what even that leaves behind, the next test process sweeps up.
//
// The cluster runs with fsync off: its data need not outlive a crash.
//
// ONEMAP_TEST_CLUSTER may name the socket directory of a running PostgreSQL;
// then nothing is started, and databases are made and dropped there.
package pgtest
