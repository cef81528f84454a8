package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/agent"
	agentcalls "github.com/mesos/mesos-go/api/v1/lib/agent/calls"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpagent"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpmaster"
	"github.com/mesos/mesos-go/api/v1/lib/maintenance"
	"github.com/mesos/mesos-go/api/v1/lib/master"
	"github.com/mesos/mesos-go/api/v1/lib/master/calls"
	"github.com/mesos/mesos-go/api/v1/lib/quota"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	schedulercalls "github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

// operator calls the master, and the agent of one running task.
type operator struct {
	master calls.Sender
	agent  agentcalls.Sender
}

// operate goes through the operator's calls, with a framework of its own to look at.
func operate(address string, codec encoding.Codec) {
	client := httpcli.New(httpcli.Endpoint("http://"+address+"/api/v1"), httpcli.Codec(codec))
	me := &operator{master: httpmaster.NewSender(client.Send)}
	watch := me.watch()
	scheduler := start(address, codec, "")
	running := scheduler.runOne()
	found := me.readMaster(running)
	me.change(found)
	me.agent = httpagent.NewSender(httpcli.New(
		httpcli.Endpoint(fmt.Sprintf("http://%s:%d/api/v1", found.Hostname, found.GetPort())),
		httpcli.Codec(codec),
	).Send)
	me.readAgent(scheduler.identity(), running)
	container := running.GetContainerStatus().GetContainerID()
	me.runNested(*container)
	me.runSession(*container)
	me.attach(*container)
	me.runStandalone()
	me.tell("TEARDOWN", calls.Teardown(mesos.FrameworkID{Value: scheduler.identity()}))
	scheduler.stop()
	watch.await("TASK_ADDED", "TASK_UPDATED TASK_RUNNING", "FRAMEWORK_ADDED", "FRAMEWORK_REMOVED")
	say("watched")
}

// runOne runs one task that copies its input to its output.
func (me *framework) runOne() mesos.TaskStatus {
	offer := me.take(share())
	copying := task(offer, "copying", "echo hello > greeting; cat")
	copying.Container = &mesos.ContainerInfo{
		Type: mesos.ContainerInfo_MESOS.Enum(), TTYInfo: &mesos.TTYInfo{},
	}
	me.accept(offer, schedulercalls.OpLaunch(copying))
	me.do(&scheduler.Call{Type: scheduler.Call_SUPPRESS, Suppress: &scheduler.Call_Suppress{}})
	return me.awaitState("copying", mesos.TASK_RUNNING)
}

// watcher keeps the kinds of event that came on the master's stream.
type watcher struct {
	sync.Mutex
	heard map[string]bool
}

// watch subscribes to the master's events.
func (me *operator) watch() *watcher {
	response, err := me.master.Send(context.Background(), calls.NonStreaming(calls.Subscribe()))
	must("SUBSCRIBE", err)
	all := &watcher{heard: map[string]bool{}}
	go func() {
		defer response.Close()
		for {
			var event master.Event
			if err := response.Decode(&event); err != nil {
				must("event", err)
			}
			kind := event.GetType().String()
			if event.GetType() == master.Event_TASK_UPDATED {
				kind += " " + event.GetTaskUpdated().GetState().String()
			}
			all.Lock()
			all.heard[kind] = true
			all.Unlock()
		}
	}()
	all.await("SUBSCRIBED")
	return all
}

func (all *watcher) await(kinds ...string) {
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		all.Lock()
		var missing []string
		for _, kind := range kinds {
			if !all.heard[kind] {
				missing = append(missing, kind)
			}
		}
		all.Unlock()
		if len(missing) == 0 {
			return
		}
		check(time.Since(start) < patience, "%v came among the events", missing)
	}
}

// ask makes a call to the master and returns its answer.
func (me *operator) ask(call *master.Call) *master.Response {
	var answer master.Response
	response, err := me.master.Send(context.Background(), calls.NonStreaming(call))
	must(call.GetType().String(), err)
	defer response.Close()
	must(call.GetType().String(), response.Decode(&answer))
	check(answer.GetType().String() == call.GetType().String(),
		"%v was answered by %v", call.GetType(), answer.GetType())
	return &answer
}

// tell makes a call to the master that has no answer.
func (me *operator) tell(what string, call *master.Call) {
	must(what, calls.SendNoData(context.Background(), me.master, calls.NonStreaming(call)))
}

// readMaster makes the calls that read, and returns the agent of a task.
func (me *operator) readMaster(running mesos.TaskStatus) (found *mesos.AgentInfo) {
	second := time.Second
	check(me.ask(calls.GetHealth()).GetGetHealth().GetHealthy(), "healthy")
	check(len(me.ask(calls.GetFlags()).GetGetFlags().GetFlags()) > 5, "flags")
	version := me.ask(calls.GetVersion()).GetGetVersion().VersionInfo
	check(strings.HasPrefix(version.Version, "1."), "version: %v", version)
	check(len(me.ask(calls.GetMetrics(&second)).GetGetMetrics().GetMetrics()) > 20, "metrics")
	me.ask(calls.GetLoggingLevel())
	check(me.ask(calls.GetMaster()).GetGetMaster().GetMasterInfo().GetPort() > 0, "the master's port")
	state := me.ask(calls.GetState()).GetGetState()
	check(holds(state.GetGetTasks().GetTasks(), running), "the task is in GET_STATE")
	check(holds(me.ask(calls.GetTasks()).GetGetTasks().GetTasks(), running), "… and GET_TASKS")
	check(len(me.ask(calls.GetFrameworks()).GetGetFrameworks().GetFrameworks()) > 0, "frameworks")
	me.ask(calls.GetExecutors())
	me.ask(calls.GetOperations())
	check(len(me.ask(calls.GetRoles()).GetGetRoles().GetRoles()) > 0, "roles")
	agents := me.ask(calls.GetAgents()).GetGetAgents().GetAgents()
	for i := range agents {
		if agents[i].AgentInfo.GetID().Value == running.GetAgentID().GetValue() {
			found = &agents[i].AgentInfo
		}
	}
	check(found != nil, "the task's agent is in GET_AGENTS")
	say("read the master")
	return found
}

func holds(tasks []mesos.Task, wanted mesos.TaskStatus) bool {
	for _, each := range tasks {
		if each.TaskID == wanted.TaskID && each.GetState() == mesos.TASK_RUNNING {
			return true
		}
	}
	return false
}

// change makes the calls that change the cluster, and sees and undoes what they did.
func (me *operator) change(found *mesos.AgentInfo) {
	me.tell("SET_LOGGING_LEVEL", calls.SetLoggingLevel(1, time.Second))
	me.changeShares()
	me.changeMachines(mesos.MachineID{Hostname: text("mesos-go.example")})
	me.changeResources(*found.GetID())
	me.tell("DEACTIVATE_AGENT", calls.DeactivateAgent(*found.GetID()))
	me.tell("REACTIVATE_AGENT", calls.ReactivateAgent(*found.GetID()))
	say("changed the cluster and back")
}

func (me *operator) changeShares() {
	weight := mesos.WeightInfo{Role: text("mesos-go-other"), Weight: 2.5}
	me.tell("UPDATE_WEIGHTS", calls.UpdateWeights(weight))
	weights := me.ask(calls.GetWeights()).GetGetWeights().GetWeightInfos()
	check(len(weights) == 1 && weights[0].Weight == 2.5, "weights: %v", weights)
	guarantee := resources.NewCPUs(0.5).Resource
	me.tell("SET_QUOTA", calls.SetQuota(quota.QuotaRequest{
		Role: text("mesos-go-other"), Guarantee: []mesos.Resource{guarantee},
	}))
	quotas := me.ask(calls.GetQuota()).GetGetQuota().Status.GetInfos()
	check(len(quotas) == 1 && quotas[0].GetRole() == "mesos-go-other", "quotas: %v", quotas)
	me.tell("REMOVE_QUOTA", calls.RemoveQuota("mesos-go-other"))
	weight.Weight = 1
	me.tell("UPDATE_WEIGHTS", calls.UpdateWeights(weight))
}

func (me *operator) changeMachines(machine mesos.MachineID) {
	me.tell("UPDATE_MAINTENANCE_SCHEDULE", calls.UpdateMaintenanceSchedule(maintenance.Schedule{
		Windows: []maintenance.Window{{
			MachineIDs: []mesos.MachineID{machine},
			Unavailability: mesos.Unavailability{
				Start: mesos.TimeInfo{Nanoseconds: time.Now().Add(time.Hour).UnixNano()},
			},
		}},
	}))
	schedule := me.ask(calls.GetMaintenanceSchedule()).GetGetMaintenanceSchedule().Schedule
	check(len(schedule.Windows) == 1, "schedule: %v", schedule)
	me.tell("START_MAINTENANCE", calls.StartMaintenance(machine))
	status := me.ask(calls.GetMaintenanceStatus()).GetGetMaintenanceStatus().Status
	check(len(status.DownMachines) == 1, "maintenance: %v", status)
	me.tell("STOP_MAINTENANCE", calls.StopMaintenance(machine))
	me.tell("UPDATE_MAINTENANCE_SCHEDULE", calls.UpdateMaintenanceSchedule(maintenance.Schedule{}))
}

func (me *operator) changeResources(id mesos.AgentID) {
	reserved := mesos.Resources{resources.NewDisk(16).Resource}.PushReservation(
		mesos.Resource_ReservationInfo{
			Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: text("mesos-go-other"),
		})
	volume := reserved[0]
	volume.Disk = &mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "mesos-go-operator"},
		Volume:      &mesos.Volume{ContainerPath: "data", Mode: mesos.RW.Enum()},
	}
	me.tell("RESERVE_RESOURCES", calls.ReserveResources(id, reserved...))
	me.tell("CREATE_VOLUMES", calls.CreateVolumes(id, volume))
	me.tell("DESTROY_VOLUMES", calls.DestroyVolumes(id, volume))
	me.tell("UNRESERVE_RESOURCES", calls.UnreserveResources(id, reserved...))
}

// askAgent makes a call to the agent and returns its answer.
func (me *operator) askAgent(call *agent.Call) *agent.Response {
	var answer agent.Response
	response, err := me.agent.Send(context.Background(), agentcalls.NonStreaming(call))
	must(call.GetType().String(), err)
	defer response.Close()
	must(call.GetType().String(), response.Decode(&answer))
	check(answer.GetType().String() == call.GetType().String(),
		"%v was answered by %v", call.GetType(), answer.GetType())
	return &answer
}

// tellAgent makes a call to the agent that has no answer.
func (me *operator) tellAgent(what string, call *agent.Call) {
	must(what, agentcalls.SendNoData(context.Background(), me.agent, agentcalls.NonStreaming(call)))
}

// readAgent makes the calls of the agent that read.
func (me *operator) readAgent(framework string, running mesos.TaskStatus) {
	second := time.Second
	check(me.askAgent(agentcalls.GetHealth()).GetGetHealth().GetHealthy(), "healthy")
	check(len(me.askAgent(agentcalls.GetFlags()).GetGetFlags().GetFlags()) > 5, "flags")
	me.askAgent(agentcalls.GetVersion())
	me.askAgent(agentcalls.GetMetrics(&second))
	me.askAgent(agentcalls.GetLoggingLevel())
	me.tellAgent("SET_LOGGING_LEVEL", agentcalls.SetLoggingLevel(1, time.Second))
	me.askAgent(agentcalls.GetState())
	me.askAgent(agentcalls.GetFrameworks())
	me.askAgent(agentcalls.GetExecutors())
	me.askAgent(agentcalls.GetOperations())
	me.askAgent(agentcalls.GetResourceProviders())
	tasks := me.askAgent(agentcalls.GetTasks()).GetGetTasks().GetLaunchedTasks()
	check(holds(tasks, running), "the task is in the agent's GET_TASKS")
	info := me.askAgent(agentcalls.GetAgent()).GetGetAgent().GetAgentInfo()
	check(info.GetID().Value == running.GetAgentID().GetValue(), "agent: %v", info)
	listed := false
	for _, each := range me.askAgent(agentcalls.GetContainers()).GetGetContainers().GetContainers() {
		id := running.GetContainerStatus().GetContainerID()
		listed = listed || each.ContainerID.GetValue() == id.GetValue()
	}
	check(listed, "the task's container is in GET_CONTAINERS")
	sandbox := fmt.Sprintf("/frameworks/%s/executors/%s/runs/latest", framework, running.TaskID.Value)
	files := me.askAgent(agentcalls.ListFiles(sandbox)).GetListFiles().GetFileInfos()
	check(len(files) >= 2, "files of %s: %v", sandbox, files)
	read := me.askAgent(agentcalls.ReadFileWithLength(sandbox+"/greeting", 2, 4)).GetReadFile()
	check(string(read.GetData()) == "llo\n" && read.GetSize_() == 6, "a part of a file: %v", read)
	say("read the agent")
}

func command(line string) *mesos.CommandInfo { return &mesos.CommandInfo{Value: &line} }

// child names a container below another.
func child(parent mesos.ContainerID, name string) mesos.ContainerID {
	return mesos.ContainerID{Value: name, Parent: &parent}
}

// runNested runs containers below a task's, to their end and to their removal.
func (me *operator) runNested(parent mesos.ContainerID) {
	ending := child(parent, "ending")
	me.tellAgent("LAUNCH_NESTED_CONTAINER",
		agentcalls.LaunchNestedContainer(ending, command("exit 7"), nil))
	ended := me.askAgent(agentcalls.WaitNestedContainer(ending)).GetWaitNestedContainer()
	check(ended.GetExitStatus() == 7<<8, "exit status %d", ended.GetExitStatus())
	me.tellAgent("REMOVE_NESTED_CONTAINER", agentcalls.RemoveNestedContainer(ending))
	lasting := child(parent, "lasting")
	me.tellAgent("LAUNCH_CONTAINER",
		agentcalls.LaunchContainer(lasting, command("sleep 1000"), nil, nil))
	me.tellAgent("KILL_CONTAINER", agentcalls.KillContainer(lasting))
	killed := me.askAgent(agentcalls.WaitContainer(lasting)).GetWaitContainer()
	check(killed.GetExitStatus() == 9, "exit status %d", killed.GetExitStatus())
	me.tellAgent("REMOVE_CONTAINER", agentcalls.RemoveContainer(lasting))
	say("ran nested containers")
}

// runSession runs a command below a task's container and reads what it says.
func (me *operator) runSession(parent mesos.ContainerID) {
	call := agentcalls.LaunchNestedContainerSession(
		child(parent, "session"), command("echo out; echo err >&2"), nil)
	out, errors := me.collect(call, nil)
	check(out == "out\n" && errors == "err\n", "a session said %q and %q", out, errors)
	session := child(parent, "asked")
	call = agentcalls.LaunchNestedContainerSession(session, command("read line; echo $line!"), nil)
	out, _ = me.collect(call, func() { me.input(session, "hello", "\n", "") })
	check(out == "hello!\n", "a session that was spoken to said %q", out)
	say("held sessions")
}

// attach writes to the terminal of a task and reads what comes back.
func (me *operator) attach(id mesos.ContainerID) {
	response, err := me.agent.Send(
		context.Background(), agentcalls.NonStreaming(agentcalls.AttachContainerOutput(id)))
	must("ATTACH_CONTAINER_OUTPUT", err)
	defer response.Close()
	size := agentcalls.AttachContainerInputTTY(&mesos.TTYInfo{
		WindowSize: &mesos.TTYInfo_WindowSize{Rows: 30, Columns: 100},
	})
	lines := make(chan *agent.Call, 3)
	lines <- agentcalls.AttachContainerInput(id)
	lines <- size
	lines <- agentcalls.AttachContainerInputData([]byte("echoed\n"))
	ended := make(chan error, 1)
	go func() {
		ended <- agentcalls.SendNoData(context.Background(), me.agent, agentcalls.FromChan(lines))
	}()
	var said string
	for strings.Count(said, "echoed") < 2 { // once from the terminal, once from the task
		var part agent.ProcessIO
		must("terminal", response.Decode(&part))
		said += string(part.GetData().GetData())
	}
	close(lines)
	must("ATTACH_CONTAINER_INPUT", <-ended)
	say("attached")
}

// collect reads a container's output to its end; `meanwhile` runs once it is open.
func (me *operator) collect(call *agent.Call, meanwhile func()) (out, errors string) {
	response, err := me.agent.Send(context.Background(), agentcalls.NonStreaming(call))
	must(call.GetType().String(), err)
	defer response.Close()
	if meanwhile != nil {
		meanwhile()
	}
	for {
		var part agent.ProcessIO
		err := response.Decode(&part)
		if err == io.EOF {
			return out, errors
		}
		must(call.GetType().String(), err)
		switch part.GetData().GetType() {
		case agent.ProcessIO_Data_STDOUT:
			out += string(part.GetData().GetData())
		case agent.ProcessIO_Data_STDERR:
			errors += string(part.GetData().GetData())
		}
	}
}

// input sends parts to a container; the empty part ends its input.
func (me *operator) input(id mesos.ContainerID, parts ...string) {
	lines := make(chan *agent.Call, len(parts)+1)
	lines <- agentcalls.AttachContainerInput(id)
	for _, part := range parts {
		lines <- agentcalls.AttachContainerInputData([]byte(part))
	}
	close(lines)
	must("ATTACH_CONTAINER_INPUT",
		agentcalls.SendNoData(context.Background(), me.agent, agentcalls.FromChan(lines)))
}

// runStandalone runs a container that belongs to no task.
func (me *operator) runStandalone() {
	id := mesos.ContainerID{Value: fmt.Sprint("mesos-go-", time.Now().UnixNano())}
	me.tellAgent("LAUNCH_CONTAINER", agentcalls.LaunchContainer(id, command("exit 5"), nil,
		mesos.Resources{resources.NewCPUs(0.1).Resource, resources.NewMemory(32).Resource}))
	ended := me.askAgent(agentcalls.WaitContainer(id)).GetWaitContainer()
	check(ended.GetExitStatus() == 5<<8, "exit status %d", ended.GetExitStatus())
	me.tellAgent("REMOVE_CONTAINER", agentcalls.RemoveContainer(id))
	say("ran a standalone container")
}
