// Command mesos-go drives a Mesos master and its agents by github.com/mesos/mesos-go, as a
// framework, as an executor and as an operator. It says on standard output what came about, a
// line each; tests/e2e/test_e2e_mesos_go.py reads them. It ends with 1 at the first thing that
// does not come about in time.
//
//	mesos-go schedule CODEC MASTER   a framework's life
//	mesos-go operate CODEC MASTER    the operator's APIs of the master and of an agent
//	mesos-go execute                 the executor of `schedule`, started by an agent
//
// CODEC is `protobuf` or `json`, MASTER is host:port.
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
)

// patience is how long the program waits for any one thing.
const patience = 60 * time.Second

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 1 && arguments[0] == "execute":
		execute()
	case len(arguments) == 3 && arguments[0] == "schedule":
		schedule(arguments[2], codec(arguments[1]))
	case len(arguments) == 3 && arguments[0] == "operate":
		operate(arguments[2], codec(arguments[1]))
	default:
		log.Fatalf("usage: %s execute | schedule CODEC MASTER | operate CODEC MASTER", os.Args[0])
	}
}

// codec finds an encoding by its name.
func codec(name string) encoding.Codec {
	// Masters since Mesos 1.9 name this capability in SUBSCRIBED. mesos-go 0.0.11 does not know
	// it, and its JSON codec refuses names that it does not know; against Apache's, too.
	mesos.MasterInfo_Capability_Type_value["QUOTA_V2"] = 3
	for _, each := range codecs.ByMediaType {
		if each.Name == name {
			return each
		}
	}
	log.Fatalf("no codec %q", name)
	panic("unreachable")
}

// say prints a line for the test.
func say(format string, values ...interface{}) {
	fmt.Printf(format+"\n", values...)
}

// must ends the program when something failed.
func must(what string, err error) {
	if err != nil {
		log.Output(2, fmt.Sprintf("%s: %v", what, err))
		os.Exit(1)
	}
}

// check ends the program when something is not as it should be.
func check(holds bool, format string, values ...interface{}) {
	if !holds {
		log.Output(2, "not so: "+fmt.Sprintf(format, values...))
		os.Exit(1)
	}
}

func text(value string) *string { return &value }

func yes() *bool { value := true; return &value }
