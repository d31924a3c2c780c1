#!/usr/bin/env python3
"""Grows real CloudTrail delivery files into a benchmark input of any size, the same bytes for the same arguments.

amplify.py OUT --mb 1000 [--seed 7 --accounts 200 --iam-share 0.001 --violation-share 0.02 --dup 0.02 --envelope s3|jsonl|eventbridge|cwl]
               [--base DIR ...]   (default: the sample log of this repository)
Writes OUT/<account>/<region>/yyyy/mm/dd/*.json.gz (s3) or OUT/part-*.jsonl (the others), and OUT/TRUTH.json + OUT/planted.jsonl.
"""
import argparse,glob,gzip,io,json,os,re,hashlib,datetime as dt,base64
M=(1<<64)-1
def mix(x):
    x=(x+0x9E3779B97F4A7C15)&M; x=((x^(x>>30))*0xBF58476D1CE4E5B9)&M; x=((x^(x>>27))*0x94D049BB133111EB)&M; return x^(x>>31)
def uid(x):
    h='%016x%016x'%(mix(x),mix(x^0xABCDEF)); return f'{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:32]}'
def load(dirs):
    out=[]
    for d in dirs:
        for p in sorted(glob.glob(d+'/**/*.json*',recursive=True)):
            b=open(p,'rb').read()
            if b[:2]==b'\x1f\x8b': b=gzip.decompress(b)
            try: j=json.loads(b)
            except Exception: continue
            for r in (j.get('Records',[]) if isinstance(j,dict) else j):
                if isinstance(r,dict) and 'eventName' in r and r.get('eventID') and r.get('recipientAccountId'): out.append(r)
    return out
def natural(r):
    rp=r.get('requestParameters') or {}
    if r.get('errorCode'): return None
    if r['eventName'] in('AttachUserPolicy','AttachRolePolicy','AttachGroupPolicy') and rp.get('policyArn')=='arn:aws:iam::aws:policy/AdministratorAccess': return 'natural_attach_admin'
    d=rp.get('policyDocument') or rp.get('assumeRolePolicyDocument')
    if isinstance(d,str):
        try: d=json.loads(d)
        except Exception: return None
        for st in (d['Statement'] if isinstance(d['Statement'],list) else [d['Statement']]):
            al=lambda v: v if isinstance(v,list) else [v]
            if st['Effect']=='Allow' and '*' in al(st.get('Action')) and '*' in al(st.get('Resource')): return 'natural_inline_admin'
            p=st.get('Principal'); p=al(p.get('AWS')) if isinstance(p,dict) and 'AWS' in p else []
            if any(re.search(r'\d{12}',x) and re.search(r'(\d{12})',x).group(1)!=r['recipientAccountId'] for x in p): return 'natural_foreign_trust'
    return None
def klass(r):
    if r['eventSource']=='iam.amazonaws.com': return 'iam_write' if r.get('readOnly') is False else 'iam_read'
    return 'data' if r.get('eventCategory')=='Data' else 'other'
TOK=re.compile(r'@@(ID|REQ|TIME|ACCT|N)@@')
def template(r):
    a=r['recipientAccountId']; r=dict(r); r['eventID']='@@ID@@'; r['eventTime']='@@TIME@@'
    if r.get('requestID'): r['requestID']='@@REQ@@'
    s=json.dumps(r,ensure_ascii=False,separators=(',',':')).replace(a,'@@ACCT@@')
    return TOK.split(s)
ADMIN=json.dumps({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})
ADMIN_NL=json.dumps({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["*"],"Resource":["*"]}},indent=2)
TRUST=json.dumps({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]})
PLANT=[('attach_admin_user','AttachUserPolicy',{'userName':'u-@@N@@','policyArn':'arn:aws:iam::aws:policy/AdministratorAccess'}),
 ('attach_admin_role','AttachRolePolicy',{'roleName':'r-@@N@@','policyArn':'arn:aws:iam::aws:policy/AdministratorAccess'}),
 ('inline_admin_user','PutUserPolicy',{'userName':'u-@@N@@','policyName':'p-@@N@@','policyDocument':ADMIN}),
 ('inline_admin_role_pretty','PutRolePolicy',{'roleName':'r-@@N@@','policyName':'p-@@N@@','policyDocument':ADMIN_NL}),
 ('managed_admin_version','CreatePolicyVersion',{'policyArn':'arn:aws:iam::@@ACCT@@:policy/p-@@N@@','policyDocument':ADMIN,'setAsDefault':True}),
 ('foreign_trust','UpdateAssumeRolePolicy',{'roleName':'r-@@N@@','policyDocument':TRUST})]
def main():
    ap=argparse.ArgumentParser(); ap.add_argument('out'); ap.add_argument('--mb',type=float,default=100); ap.add_argument('--seed',type=int,default=7); ap.add_argument('--accounts',type=int,default=200)
    ap.add_argument('--iam-share',type=float,default=.001); ap.add_argument('--violation-share',type=float,default=.02); ap.add_argument('--dup',type=float,default=.02); ap.add_argument('--failed-plant-share',type=float,default=.25)
    ap.add_argument('--envelope',default='s3',choices=('s3','jsonl','eventbridge','cwl')); ap.add_argument('--base',nargs='*',default=[os.path.join(os.path.dirname(os.path.abspath(__file__)),'..','testdata','cloudtrail','invictus-stratus-2023','files')]); ap.add_argument('--start',default='2024-01-01T00:00:00Z'); ap.add_argument('--rate',type=float,default=2000,help='events per second of event time'); ap.add_argument('--level',type=int,default=1)
    a=ap.parse_args(); recs=load(a.base); by={}
    for r in recs: by.setdefault(klass(r),[]).append(r)
    T={k:[(r['eventName'],r['awsRegion'],template(r),natural(r) if k=='iam_write' else None) for r in v] for k,v in by.items()}
    nonw=[t for k,v in T.items() if k!='iam_write' for t in v]      # keeps the real proportions of everything else
    base=next(r for r in by['iam_write'] if r['eventName']=='AttachRolePolicy' and not r.get('errorCode'))
    P=[]
    for name,ev,rp in PLANT:
        for fail in (False,True):
            r=dict(base,eventName=ev,requestParameters=rp,responseElements=None)
            if fail: r['errorCode']='AccessDenied'; r['errorMessage']='User is not authorized to perform: iam:'+ev
            P.append((name,ev,fail,r['awsRegion'],template(r)))
    t0=dt.datetime.fromisoformat(a.start.replace('Z','+00:00')).timestamp(); S=mix(a.seed); acct=['%012d'%(100000000000+mix(S^i)%899999999999) for i in range(a.accounts)]
    os.makedirs(a.out,exist_ok=True); plant=open(a.out+'/planted.jsonl','w')
    C=dict(records=0,unique=0,duplicates=0,iam_write=0,planted=0,planted_failed=0,bytes_records=0,files=0); names={}; target=int(a.mb*1e6); i=0; buf=[];pend=[];fno=0
    def flush(lines,x,region,ts):
        nonlocal fno
        d=dt.datetime.utcfromtimestamp(ts); body=b'{"Records":['+b','.join(lines)+b']}'
        if a.envelope=='s3':
            p=f'{a.out}/{x}/CloudTrail/{region}/{d:%Y/%m/%d}'; os.makedirs(p,exist_ok=True)
            bio=io.BytesIO()
            with gzip.GzipFile(fileobj=bio,mode='wb',mtime=0,compresslevel=a.level,filename='') as g: g.write(body)
            open(f'{p}/{x}_CloudTrail_{region}_{d:%Y%m%dT%H%MZ}_{mix(S^fno):016x}.json.gz','wb').write(bio.getvalue())
        else:
            with open(f'{a.out}/part-{fno>>10:05d}.jsonl','ab') as f:
                if a.envelope=='jsonl': f.write(b'\n'.join(lines)+b'\n')
                elif a.envelope=='eventbridge':
                    for l in lines:
                        r=json.loads(l); f.write(json.dumps({'version':'0','id':uid(int(r['eventID'][:8],16)),'detail-type':'AWS API Call via CloudTrail','source':'aws.'+r['eventSource'].split('.')[0],'account':r['recipientAccountId'],'time':r['eventTime'],'region':r['awsRegion'],'resources':[],'detail':r},separators=(',',':'),ensure_ascii=False).encode()+b'\n')
                else:
                    j={'messageType':'DATA_MESSAGE','owner':x,'logGroup':'aws-cloudtrail-logs','logStream':f'{x}_CloudTrail_{region}','subscriptionFilters':['f'],'logEvents':[{'id':str(mix(S^fno)),'timestamp':int(ts*1000),'message':l.decode()} for l in lines]}
                    f.write(base64.b64encode(gzip.compress(json.dumps(j).encode(),a.level,mtime=0))+b'\n')
        fno+=1; C['files']+=1
    open_={}; hot=0
    while C['bytes_records']<target:
        h=mix(S+i*3+1); u=(h>>11)/2**53; g=mix(h)
        x=acct[min(int((g&0xffff)/65536*(g>>16&0xffff)/65536*a.accounts),a.accounts-1)]   # skewed: few accounts make most events
        late=(g>>40)%300; ts=t0+i/a.rate-late; viol=None; nat=None
        if u<a.iam_share:
            if ((mix(g^5)>>11)/2**53)<a.violation_share:
                q=mix(g^9); fail=((q>>20)%1000)/1000<a.failed_plant_share; viol=[p for p in P if p[2]==fail][q%len(PLANT)]; ev,reg,tp=viol[1],viol[3],viol[4]
            else:
                ev,reg,tp,nat=T['iam_write'][mix(g^7)%len(T['iam_write'])]
            C['iam_write']+=1
        else: ev,reg,tp,_=nonw[mix(g^3)%len(nonw)]
        eid=uid(S^i); sub={'ID':eid,'REQ':uid(S^i^0x55),'TIME':dt.datetime.utcfromtimestamp(ts).strftime('%Y-%m-%dT%H:%M:%SZ'),'ACCT':x,'N':str(i)}
        o=list(tp)
        for k in range(1,len(o),2): o[k]=sub[o[k]]
        line=''.join(o).encode(); n=1+((mix(g^11)>>11)/2**53<a.dup)
        C['unique']+=1; C['duplicates']+=n-1; names[ev]=names.get(ev,0)+1
        if nat:
            C['natural']=C.get('natural',0)+1; plant.write(json.dumps({'eventID':eid,'account':x,'kind':nat,'eventName':ev,'failed':False,'eventTime':sub['TIME'],'copies':n})+'\n')
        if viol: C['planted']+=1; C['planted_failed']+=viol[2]; plant.write(json.dumps({'eventID':eid,'account':x,'kind':viol[0],'eventName':ev,'failed':viol[2],'eventTime':sub['TIME'],'copies':n})+'\n')
        for c in range(n):
            key=(x,reg if c==0 else 'us-west-2'); L=open_.setdefault(key,[[],0]); L[0].append(line); C['records']+=1; C['bytes_records']+=len(line)
            if len(L[0])>=L[1]:
                if L[1]: flush(L[0],key[0],key[1],t0+i/a.rate+120); L[0]=[]
                z=mix(S^fno^0x77)%100; L[1]=(1+z//8) if z<50 else (8+z-50) if z<90 else 150+(z-90)*27
        i+=1
    for key,L in sorted(open_.items()):
        if L[0]: flush(L[0],key[0],key[1],t0+i/a.rate+120)
    C['distinct_event_names']=len(names); C['args']={k:v for k,v in vars(a).items() if k!='out'}; C['base_records']={k:len(v) for k,v in by.items()}; plant.close()
    json.dump(C,open(a.out+'/TRUTH.json','w'),indent=1); print(json.dumps(C))
main()
